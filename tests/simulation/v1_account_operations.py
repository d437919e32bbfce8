"""What a device of version 1 does with accounts: presence, blocks, passwords, deletion."""

from __future__ import annotations

from random import Random
from typing import Any

from chatd.codecs import v1_messages as c
from tests.simulation.v1 import V1Device
from tests.simulation.v1_operations import in_session, operation, resume_now


@operation(6)
def presence(device: V1Device, random: Random) -> bool:
    """Set the presence, or look at that of others."""
    if not in_session(device):
        return False
    choice = random.randrange(4)
    names = [name for name in device.model.names if random.random() < 0.7]
    if choice == 0:
        away, hidden = random.random() < 0.5, random.random() < 0.2
        text = device.world.new_token("a") if away else ""
        change = device.model.set_hidden(device.name, hidden)
        device.ask(c.SetPresence(0, away, text, hidden), change)
    elif choice == 1:
        device.notices.watch(names)
    elif choice == 2:
        device.notices.unwatch(names)
    else:
        sent = device.model.tick + 1
        device.ask(
            c.Who(0, names),
            then=lambda answer: device.world.listings.people(answer, sent),
        )
    return True


@operation(6)
def block(device: V1Device, random: Random) -> bool:
    """Block an account, or unblock it."""
    if not in_session(device):
        return False
    name, blocked = random.choice(device.model.names), random.random() < 0.6
    change = device.model.set_blocked(device.name, name, blocked)
    device.ask(c.Block(0, name, blocked), change)
    return True


@operation(3)
def change_password(device: V1Device, random: Random) -> bool:
    """Change the password of the account."""
    if not in_session(device):
        return False
    model, name = device.model, device.name
    old = random.choice(model.password[name].possible(model.tick, model.tick))
    new = random.choice((None, "p1", "p2"))
    was_open = None in model.password[name].possible(model.tick, model.tick)

    def changed(_: Any) -> None:
        if device.reader is not None and was_open:
            # All access tokens have ended, and this session, which may have begun after the
            # request was sent, goes on.
            device.reader.access_token = ""

    device.ask(c.ChangePassword(0, old, new), model.set_password(name, new), changed)
    return True


@operation(3)
def set_certificates(device: V1Device, random: Random) -> bool:
    """Set the certificates that log in to the account."""
    if not in_session(device):
        return False
    model, name = device.model, device.name
    password = random.choice(model.password[name].possible(model.tick, model.tick))
    digits = device.world.some_certificates(random)
    device.ask(c.SetCertificates(0, digits, password), model.set_certificates(name, digits))
    return True


@operation(12)
def create_access_token(device: V1Device, random: Random) -> bool:
    """Make an access token, which permits everything."""
    if not in_session(device):
        return False
    model, name = device.model, device.name
    password = random.choice(model.password[name].possible(model.tick, model.tick))
    label, sent = device.world.new_token("bot"), model.tick + 1

    def made(answer: c.NewAccessToken) -> None:
        model.access_tokens.issued(answer.token, name, sent, None)
        model.made_tokens[name].append((label, answer.token))

    request = c.CreateAccessToken(0, label, ["all"], 0, password)
    device.ask(request, model.change_access_tokens(name), made)
    return True


@operation(6)
def revoke_access_token(device: V1Device, random: Random) -> bool:
    """Revoke an access token of the account."""
    model, name = device.model, device.name
    if not in_session(device) or not model.made_tokens[name]:
        return False
    label, token = random.choice(model.made_tokens[name])
    change = model.change_access_tokens(name)
    model.access_tokens.end(token, change)
    device.ask(c.RevokeAccessToken(0, label), change)
    return True


@operation(12)
def log_in_by_access_token(device: V1Device, random: Random) -> bool:
    """Log in by an access token, which may be one of another account."""
    made = device.model.made_tokens
    own = made[device.name]
    if random.random() < 0.1:
        own = [each for tokens in made.values() for each in tokens]
    if not device.connected or not own:
        return False
    resume_now(device, random.choice(own)[1])
    return True


@operation(5)
def delete_account(device: V1Device, random: Random) -> bool:
    """Delete the account."""
    if not in_session(device):
        return False
    model, name = device.model, device.name
    password = random.choice(model.password[name].possible(model.tick, model.tick))
    change = model.delete_account(name)

    def deleted(_: Any) -> None:
        device.end_session()
        device.positions.clear()

    device.ask(c.DeleteAccount(0, password), change, deleted)
    return True


@operation(2)
def report(device: V1Device, random: Random) -> bool:
    """Report an account to the operators."""
    if not in_session(device):
        return False
    device.ask(c.Report(0, random.choice(device.model.names), "noise"))
    return True


@operation(2)
def ping(device: V1Device, random: Random) -> bool:
    """Check that the daemon is alive."""
    if not device.connected:
        return False
    device.ask(c.Ping(0))
    return True
