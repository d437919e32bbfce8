#!/usr/bin/env node
"use strict";
/*
 * A chat client in one file, without packages: version 1 of the protocol in ../docs/protocols/v1.md.
 *
 *     node client.js HOST PORT NAME [PASSWORD]
 *
 * It makes the account if there is none, joins #lobby, prints what comes as "SENDER: TEXT" or
 * "#room SENDER: TEXT", and says what it reads from standard input: "@bob hi" or "#room hi". At the end
 * of input it leaves, as soon as everything has been accepted. However often the connection is lost: what
 * is said arrives once, and what comes is printed once.
 */
const { randomUUID } = require("node:crypto");
const { EventEmitter, once } = require("node:events");
const net = require("node:net");
const readline = require("node:readline");
const { setTimeout: sleep } = require("node:timers/promises");

const [VERSION, HEADER_SIZE, LONGEST_FRAME] = [1, 6, 2 * 1024 * 1024];
// The numbers of the messages that this client knows: requests, answers, events.
const [HELLO, PING, REGISTER, LOG_IN, LOG_OUT, SEND, ACK, JOIN] = [1, 2, 3, 4, 5, 10, 11, 21];
const [REFUSAL, PONG, LOGGED_IN, ROOM_STATE] = [65, 67, 68, 72];
const [PUSHED, JOINED, LEFT, GOODBYE] = [80, 85, 86, 87];

const UNDER_WAY = 64; // messages that may wait to be accepted before more input is read
const SILENCE = 60_000; // ms without a word, after which the server is asked whether it is there
const [FIRST_DELAY, LONGEST_DELAY] = [500, 30_000]; // ms before connecting again

// MessagePack, as much of it as the protocol uses.

/** A length or a number: in one byte with `small` if it is below `limit`, else in the shortest of `forms`. */
function encodeNumber(number, small, limit, forms) {
  if (number < limit) return Buffer.of(small + Number(number));
  const [first, size] = forms.find(([, size]) => BigInt(number) < 1n << BigInt(8 * size));
  const bytes = Buffer.alloc(1 + size, first);
  if (size === 8) bytes.writeBigUInt64BE(BigInt(number), 1);
  else bytes.writeUIntBE(Number(number), 1, size);
  return bytes;
}

function encode(value) {
  if (value === null) return Buffer.of(0xc0);
  if (typeof value === "boolean") return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value === "string") {
    const text = Buffer.from(value, "utf8");
    return Buffer.concat([encodeNumber(text.length, 0xa0, 32, [[0xd9, 1], [0xda, 2], [0xdb, 4]]), text]);
  }
  if (Array.isArray(value)) {
    const head = encodeNumber(value.length, 0x90, 16, [[0xdc, 2], [0xdd, 4]]);
    return Buffer.concat([head, ...value.map(encode)]);
  }
  return encodeNumber(value, 0, 128, [[0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8]]);
}

/** The value that `bytes` are. Whole numbers that a double cannot hold become BigInts. */
function decode(bytes) {
  let at = 0;
  const skip = (size) => {
    at += size;
    if (at > bytes.length) throw new Error("the data end too early");
    return at - size;
  };
  const unsigned = (size) => bytes.readUIntBE(skip(size), size);
  const signed = (size) => bytes.readIntBE(skip(size), size);
  const narrow = (big) => (Number.isSafeInteger(Number(big)) ? Number(big) : big);
  const text = (size) => bytes.toString("utf8", skip(size), at);
  const array = (size) => {
    const values = [];
    while (values.length < size) values.push(value());
    return values;
  };
  const value = () => {
    const first = unsigned(1);
    if (first < 0x80) return first;
    if (first >= 0xe0) return first - 0x100;
    if (first >= 0x90 && first < 0xa0) return array(first - 0x90);
    if (first >= 0xa0 && first < 0xc0) return text(first - 0xa0);
    switch (first) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xca: return bytes.readFloatBE(skip(4));
      case 0xcb: return bytes.readDoubleBE(skip(8));
      case 0xcc: case 0xcd: case 0xce: return unsigned(1 << (first - 0xcc));
      case 0xcf: return narrow(bytes.readBigUInt64BE(skip(8)));
      case 0xd0: case 0xd1: case 0xd2: return signed(1 << (first - 0xd0));
      case 0xd3: return narrow(bytes.readBigInt64BE(skip(8)));
      case 0xd9: case 0xda: case 0xdb: return text(unsigned(1 << (first - 0xd9)));
      case 0xdc: case 0xdd: return array(unsigned(2 << (first - 0xdc)));
    }
    throw new Error(`no value begins with the byte ${first}`);
  };
  return value();
}

/** The server's no; if it is not `final`, then another try may succeed. */
class Refused extends Error {
  constructor(code, sentence) {
    super(sentence);
    this.code = code;
    this.final = !["busy", "store-unavailable", "stopping"].includes(code);
  }
}

/** An account's client; emits "settled" when a message has been accepted, or refused for good. */
class Client extends EventEmitter {
  constructor(host, port, name, password) {
    super();
    Object.assign(this, { host, port, name, password, loggedIn: false, delay: FIRST_DELAY });
    this.unaccepted = new Map(); // what was said, by key: [recipient, text], oldest first
    this.positions = new Map(); // by log: { since, seq: received, printed, acknowledged }
    this.leaving = new Promise((resolve) => (this.leave = resolve));
  }

  say(recipient, text) {
    const key = randomUUID();
    this.unaccepted.set(key, [recipient, text]);
    if (this.loggedIn) this.transmit(key);
  }

  /** Be there, whatever happens to the connection, until `leave` is called. */
  async stay() {
    for (;;) {
      try {
        return await this.session();
      } catch (error) {
        this.socket.destroy();
        if (error.final) throw error;
        console.error(`${error.message || error.code}; connecting again`);
      }
      await sleep(this.delay * (0.5 + Math.random()));
      this.delay = Math.min(2 * this.delay, LONGEST_DELAY);
    }
  }

  async session() {
    this.connect();
    await this.request(HELLO, "client.js", "1.0");
    if (!this.registered) await this.request(REGISTER, this.name, this.password).catch((error) => {
      if (!error.final) throw error; // Else there is an account of that name, or logging in will fail.
    });
    this.registered = true;
    const positions = [...this.positions].map(([log, { since, seq }]) => [log, since, seq]);
    await this.request(LOG_IN, this.name, this.password, positions);
    this.delay = FIRST_DELAY;
    this.loggedIn = true;
    this.acknowledge(); // The server may have been killed before it had stored the last ones.
    const joined = this.request(JOIN, "#lobby");
    for (const key of this.unaccepted.keys()) this.transmit(key); // Carried out after joining.
    await joined;
    await Promise.race([this.leaving, this.lost]);
    this.deaf = true; // What comes from here on waits for the next time.
    await new Promise((resolve) => process.stdout.write("", resolve));
    this.acknowledge();
    await this.request(LOG_OUT);
    this.socket.end();
  }

  connect() {
    const socket = (this.socket = net.connect({ host: this.host, port: this.port, noDelay: true }));
    this.waiting = new Map(); // by ref: how to settle the promise of the answer
    Object.assign(this, { input: Buffer.alloc(0), ref: 0, deaf: false, goodbye: null });
    let asked = false;
    let reason = new Error("the connection was closed");
    socket.on("data", (data) => {
      asked = false;
      try { this.take(data); } catch (error) { socket.destroy(error); }
    });
    socket.setTimeout(SILENCE, () => {
      if (asked) return socket.destroy(new Error("the server is silent"));
      asked = true;
      this.send(PING, 0);
    });
    socket.on("error", (error) => (reason = error));
    this.lost = new Promise((resolve) => socket.on("close", resolve)).then(() => {
      this.loggedIn = false;
      reason = this.goodbye ?? reason;
      for (const { reject } of this.waiting.values()) reject(reason);
      throw reason;
    });
    this.lost.catch(() => {}); // Whoever waits for an answer at the moment is told, too.
  }

  send(command, ...fields) {
    const data = encode(fields);
    const header = Buffer.of(VERSION, command, 0, 0, 0, 0);
    header.writeUInt32BE(data.length, 2);
    this.socket.write(Buffer.concat([header, data]));
  }

  /** The fields of the answer; throws `Refused`, or why the connection was lost. */
  request(command, ...fields) {
    if (this.socket.destroyed) return this.lost;
    this.send(command, ++this.ref, ...fields);
    return new Promise((resolve, reject) => this.waiting.set(this.ref, { resolve, reject }));
  }

  async transmit(key) {
    const [recipient, text] = this.unaccepted.get(key);
    try {
      await this.request(SEND, recipient, text, key);
    } catch (error) {
      if (!(error instanceof Refused)) return; // The connection is lost; the next one tries again.
      if (!error.final) return void this.socket.destroy(error); // Likewise, a little later, and in order.
      console.error(`not sent to ${recipient}: ${error.message}`);
    }
    this.unaccepted.delete(key);
    this.emit("settled");
  }

  /** Cut what comes into frames. */
  take(data) {
    this.input = Buffer.concat([this.input, data]);
    while (this.input.length >= HEADER_SIZE) {
      const end = HEADER_SIZE + this.input.readUInt32BE(2);
      if (this.input[0] !== VERSION || end > HEADER_SIZE + LONGEST_FRAME) throw new Error("no chat server");
      if (this.input.length < end) return;
      const [command, fields] = [this.input[1], decode(this.input.subarray(HEADER_SIZE, end))];
      this.input = this.input.subarray(end);
      this.receive(command, fields);
    }
  }

  receive(command, fields) {
    // What begins to be followed has to be noted at once: its entries may be in the same read, and come
    // before whoever waits for the answer goes on.
    if (command === LOGGED_IN) this.resume(fields[2]);
    else if (command === ROOM_STATE) this.follow(fields[1]);
    else if (command === JOINED) this.follow(fields[0]);
    else if (command === LEFT) this.positions.delete(fields[0].toLowerCase());
    else if (command === PUSHED) this.takeEntry(...fields);
    else if (command === PING) this.send(PONG, fields[0]);
    else if (command === GOODBYE) this.goodbye = new Refused(...fields);
    if (command < 64 || command >= 80) return; // Only the others are answers.
    const [ref, code, sentence] = fields;
    const answer = this.waiting.get(ref);
    this.waiting.delete(ref);
    if (command !== REFUSAL) answer?.resolve(fields);
    else if (answer) answer.reject(new Refused(code, sentence));
    else console.error(`refused: ${sentence}`);
  }

  /** After logging in: positions are worth something only in logs that are still there. */
  resume(states) {
    const logs = new Set(states.map(([log]) => log));
    for (const log of this.positions.keys()) if (!logs.has(log)) this.positions.delete(log);
    for (const state of states) this.follow(state);
  }

  /** Begin where the account is in a log, or go on, if it is the log that we know. */
  follow([log, since, head, upto]) {
    const known = this.positions.get(log);
    if (known?.since === since && known.seq <= head) known.acknowledged = upto;
    else this.positions.set(log, { since, seq: upto, printed: upto, acknowledged: upto });
  }

  takeEntry(log, seq, id, time, sender, kind, body) {
    const position = this.positions.get(log);
    if (this.deaf || !position || seq <= position.seq) return; // Above the position, or it has come before.
    position.seq = seq;
    const room = log.startsWith("#") ? `${log} ` : "";
    const shown = kind === "text" ? `${room}${sender}: ${body.replace(/\p{Cc}/gu, " ")}\n` : "";
    process.stdout.write(shown, () => {
      position.printed = seq;
      this.acknowledging ??= setImmediate(() => this.acknowledge()); // One for all of this read.
    });
  }

  /** Acknowledge all that has been printed, as far as the server does not know it. */
  acknowledge() {
    this.acknowledging = null;
    for (const [log, position] of this.positions) {
      if (!this.loggedIn || position.printed <= position.acknowledged) continue;
      this.send(ACK, 0, log, position.printed);
      position.acknowledged = position.printed;
    }
  }
}

async function read(client) {
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const [, recipient, text] = /^(?:@|(?=#))(\S+) (.*)$/su.exec(line) ?? [];
    if (recipient) client.say(recipient, text);
    else if (line) console.error("say @NAME TEXT or #ROOM TEXT");
    while (client.unaccepted.size >= UNDER_WAY) await once(client, "settled");
  }
  while (client.unaccepted.size > 0) await once(client, "settled");
  client.leave();
}

module.exports = { decode, encode };

if (require.main === module) {
  const [host, port, name, password = null] = process.argv.slice(2);
  const client = new Client(host, Number(port), name, password);
  read(client);
  client.stay().catch((error) => { console.error(error.message); process.exit(1); });
}
