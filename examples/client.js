#!/usr/bin/env node
"use strict";
/*
 * A chat client in one file, without packages, for version 1 of the protocol, as described in
 * docs/protocols/v1.md. A message that it reads is stored once, and an entry that it receives is
 * printed once, however often the connection is lost.
 */
const DEFAULT_PORT = 65432;
const USAGE = `Usage: node client.js [--help] NAME [ADDRESS]

Logs in as NAME, with the password in the environment variable CHATD_PASSWORD if that is set, and
joins #lobby; the account is registered if it does not exist. CHATD_TOKEN can have an access token
with the scope "all" instead. ADDRESS is chat://HOST[:PORT], or chats://HOST[:PORT] for TLS
[chat://127.0.0.1:${DEFAULT_PORT}].

Prints messages as "SENDER: TEXT" or "#room SENDER: TEXT". Sends the lines of standard input, in
UTF-8: "@bob hi" to an account, "#room hi" to a room. At the end of input it waits until all
messages are accepted or refused, and exits.

Exit status: 0; 1 if the server cannot be used or a line was not sent; 2 if the arguments are wrong.`;

const { randomUUID } = require("node:crypto");
const { EventEmitter, once } = require("node:events");
const net = require("node:net");
const readline = require("node:readline");
const { setTimeout: sleep } = require("node:timers/promises");
const tls = require("node:tls");

const [VERSION, HEADER_SIZE, LONGEST_FRAME] = [1, 6, 2 * 1024 * 1024];
// The numbers of the messages that this client knows: requests, answers, events.
const [HELLO, PING, REGISTER, LOG_IN, LOG_OUT, SEND, ACK, JOIN] = [1, 2, 3, 4, 5, 10, 11, 21];
const RESUME = 40;
const [REFUSAL, PONG, LOGGED_IN, ROOM_STATE] = [65, 67, 68, 72];
const [PUSHED, JOINED, LEFT, GOODBYE, TOKEN] = [80, 85, 86, 87, 88];

const TOKEN_STAYS = ["suspended", "address-banned"]; // codes after which a token may log in later
const MAX_PENDING = 64; // messages that may wait to be accepted before more input is read
const IDLE_TIME = 60_000; // ms without data from the server, after which it is sent a PING
const [FIRST_DELAY, LONGEST_DELAY] = [500, 30_000]; // ms before connecting again

// The part of MessagePack that the protocol uses.

/** Encode a length or a number: in one byte with `small` if below `limit`, else in the first of
 * `forms` (first byte, size) that is long enough. */
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
    const head = encodeNumber(text.length, 0xa0, 32, [[0xd9, 1], [0xda, 2], [0xdb, 4]]);
    return Buffer.concat([head, text]);
  }
  if (Array.isArray(value)) {
    const head = encodeNumber(value.length, 0x90, 16, [[0xdc, 2], [0xdd, 4]]);
    return Buffer.concat([head, ...value.map(encode)]);
  }
  return encodeNumber(value, 0, 128, [[0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8]]);
}

/** Decode one value. Integers that a double cannot hold become BigInts. */
function decode(bytes) {
  let at = 0;
  const skip = (size) => {
    at += size;
    if (at > bytes.length) throw new Error("unexpected end of data");
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

/** A refusal by the server. Unless it is `final`, another try may succeed. */
class Refused extends Error {
  constructor(code, sentence) {
    super(sentence);
    this.code = code;
    this.final = !["busy", "store-unavailable", "stopping"].includes(code);
  }
}

/** Print an error that does not end the client. */
function complain(sentence) {
  console.error(sentence);
  process.exitCode = 1;
}

/** The parts of chat://HOST[:PORT] or chats://HOST[:PORT]. */
function parseAddress(address) {
  let url;
  try { url = new URL(address); } catch { url = null; }
  const extra = url && (url.username || url.password || url.search || url.hash);
  if (!/^chats?:$/.test(url?.protocol) || !url.hostname || extra || !/^\/?$/.test(url.pathname)) {
    throw new Error(`an address has the form chat://HOST[:PORT] or chats://HOST[:PORT], not ${address}`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(url.port || DEFAULT_PORT), secure: url.protocol === "chats:" };
}

/** The client of an account. Emits "answered" when a message is accepted, or refused for good. */
class Client extends EventEmitter {
  constructor({ host, port, secure }, name, password, token = null) {
    super();
    Object.assign(this, { host, port, secure, name, password });
    Object.assign(this, { loggedIn: false, delay: FIRST_DELAY, longest: Infinity });
    this.token = token; // an access token, or the resume token for the next connection
    this.registered = token !== null;
    this.unaccepted = new Map(); // messages by key: [recipient, text], oldest first
    // By log: { since, seq, printed, acknowledged }; seq is that of the last entry received.
    this.positions = new Map();
    this.stopping = new Promise((resolve) => (this.stop = resolve));
  }

  /** Send a message, now or over the next connection. */
  post(recipient, text) {
    const key = randomUUID();
    this.unaccepted.set(key, [recipient, text]);
    if (this.loggedIn) this.transmit(key);
  }

  /** Stay connected until `stop` is called. Throws the refusal if it is final, and the reason if
   * the first connection fails. */
  async run() {
    for (;;) {
      try {
        return await this.session();
      } catch (error) {
        this.socket.destroy();
        if (error.final || this.longest === Infinity) throw error;
        console.error(`${error.message || error.code}; connecting again`);
      }
      await sleep(this.delay * (0.5 + Math.random()));
      this.delay = Math.min(2 * this.delay, LONGEST_DELAY);
    }
  }

  /** One connection, from connecting to logging out. Throws the reason if it is lost. */
  async session() {
    this.connect();
    const welcome = await this.request(HELLO, "client.js", "1.0", ["tokens"]);
    this.longest = welcome[3][5]; // The longest frame that the server accepts.
    let unregistered = null; // why the account does not exist, if the login fails too
    if (!this.registered) await this.request(REGISTER, this.name, this.password).catch((error) => {
      if (!error.final) throw error;
      if (error.code !== "name-taken") unregistered = error;
    });
    this.registered = true;
    const positions = [...this.positions].map(([log, { since, seq }]) => [log, since, seq]);
    await this.logIn(positions).catch((error) => {
      throw (error.final && unregistered) || error;
    });
    if (this.discarding) await this.logIn([]);
    this.delay = FIRST_DELAY;
    this.loggedIn = true;
    this.acknowledge(); // The server may have lost the last acknowledgements.
    const joined = this.request(JOIN, "#lobby");
    for (const key of this.unaccepted.keys()) this.transmit(key); // Carried out after JOIN.
    await joined;
    await Promise.race([this.stopping, this.lost]);
    this.discarding = true; // Entries received from here on are for the next login.
    await new Promise((resolve) => process.stdout.write("", resolve));
    this.acknowledge();
    await this.request(LOG_OUT);
    this.socket.end();
  }

  /** Log in by the token, which is quicker, or else by the password. */
  async logIn(positions) {
    if (this.token !== null) {
      try {
        return await this.request(RESUME, this.name, this.token, positions);
      } catch (error) {
        // Sessions whose connections were lost may still be counted.
        if (error.code === "limit-reached") error.final = false;
        if (!error.final || TOKEN_STAYS.includes(error.code)) throw error;
        this.token = null; // It has ended.
      }
    }
    await this.request(LOG_IN, this.name, this.password, positions);
  }

  connect() {
    const { host, port } = this;
    const options = { host, port, noDelay: true };
    if (this.secure && !net.isIP(host)) options.servername = host;
    const socket = (this.socket = this.secure ? tls.connect(options) : net.connect(options));
    this.pending = new Map(); // by ref: { resolve, reject } of the promise of the answer
    Object.assign(this, { input: Buffer.alloc(0), ref: 0, discarding: false, goodbye: null });
    let pingSent = false;
    let reason = new Error("the connection was closed");
    socket.on("data", (data) => {
      pingSent = false;
      try { this.feed(data); } catch (error) { socket.destroy(error); }
    });
    socket.setTimeout(IDLE_TIME, () => {
      if (pingSent) return socket.destroy(new Error("the server does not answer"));
      pingSent = true;
      this.send(PING, 0);
    });
    socket.on("error", (error) => (reason = error));
    this.lost = new Promise((resolve) => socket.on("close", resolve)).then(() => {
      this.loggedIn = false;
      reason = this.goodbye ?? reason;
      for (const { reject } of this.pending.values()) reject(reason);
      throw reason;
    });
    this.lost.catch(() => {}); // The pending requests are rejected in any case.
  }

  /** Write one frame. Throws `Refused` if it is longer than the server accepts: the server's
   * refusal would not tell which request it is for. */
  send(command, ...fields) {
    const data = encode(fields);
    if (data.length > this.longest) throw new Refused("text-too-long", "The line is too long.");
    const header = Buffer.of(VERSION, command, 0, 0, 0, 0);
    header.writeUInt32BE(data.length, 2);
    this.socket.write(Buffer.concat([header, data]));
  }

  /** Send a request; resolves to the fields of the answer. Rejects with `Refused`, or with the
   * reason for which the connection was lost. */
  async request(command, ...fields) {
    if (this.socket.destroyed) return this.lost;
    this.send(command, ++this.ref, ...fields);
    return new Promise((resolve, reject) => this.pending.set(this.ref, { resolve, reject }));
  }

  /** Send a message over this connection. */
  async transmit(key) {
    const [recipient, text] = this.unaccepted.get(key);
    try {
      await this.request(SEND, recipient, text, key);
    } catch (error) {
      if (!(error instanceof Refused)) return; // Connection lost: sent again over the next one.
      // After reconnecting, all unaccepted messages are sent again, in order.
      if (!error.final) return void this.socket.destroy(error);
      complain(`not sent to ${recipient}: ${error.message}`);
    }
    this.unaccepted.delete(key);
    this.emit("answered");
  }

  /** Divide the data received into frames. */
  feed(data) {
    this.input = Buffer.concat([this.input, data]);
    while (this.input.length >= HEADER_SIZE) {
      const end = HEADER_SIZE + this.input.readUInt32BE(2);
      if (this.input[0] !== VERSION || end > HEADER_SIZE + LONGEST_FRAME) {
        throw new Error("this is not a chatd server");
      }
      if (this.input.length < end) return;
      const [command, fields] = [this.input[1], decode(this.input.subarray(HEADER_SIZE, end))];
      this.input = this.input.subarray(end);
      this.receive(command, fields);
    }
  }

  receive(command, fields) {
    // A log is followed here, not by the code that awaits the answer: its entries may be in the
    // same read and are received before that code continues.
    if (command === LOGGED_IN) this.resume(fields[2]);
    else if (command === ROOM_STATE) this.follow(fields[1]);
    else if (command === JOINED) this.follow(fields[0]);
    else if (command === LEFT) this.positions.delete(fields[0].toLowerCase());
    else if (command === PUSHED) this.receiveEntry(...fields);
    else if (command === PING) this.send(PONG, fields[0]);
    else if (command === TOKEN) this.token = fields[0];
    else if (command === GOODBYE) this.goodbye = new Refused(...fields);
    if (command < 64 || command >= 80) return; // Not an answer.
    const [ref, code, sentence, refused] = fields;
    const request = this.pending.get(ref);
    this.pending.delete(ref);
    if (command !== REFUSAL) request?.resolve(fields);
    else if (request) request.reject(new Refused(code, sentence));
    else if (refused !== ACK) complain(`refused: ${sentence}`);
    // An ACK is refused if the log was deleted meanwhile, or is another one of its name by now.
  }

  /** After a login: drop the positions in logs that are not followed any more. If the server was
   * restored from a backup, drop all positions, and what it pushes until the next login. */
  resume(states) {
    this.discarding = states.some(([log, since, head]) => {
      const position = this.positions.get(log);
      return position?.since === since && position.seq > head;
    });
    if (this.discarding) this.positions.clear();
    const logs = new Set(states.map(([log]) => log));
    for (const log of this.positions.keys()) if (!logs.has(log)) this.positions.delete(log);
    for (const state of states) this.follow(state);
  }

  /** Keep the position in a log if it is still the same log, else begin after the account's
   * acknowledged entries. */
  follow([log, since, head, upto]) {
    const position = this.positions.get(log);
    if (position?.since === since && position.seq <= head) position.acknowledged = upto;
    else this.positions.set(log, { since, seq: upto, printed: upto, acknowledged: upto });
  }

  receiveEntry(log, seq, id, time, sender, kind, body) {
    const position = this.positions.get(log);
    if (this.discarding || !position) return;
    if (seq <= position.seq) return; // Received before.
    position.seq = seq;
    const room = log.startsWith("#") ? `${log} ` : "";
    const line = kind === "text" ? `${room}${sender}: ${body.replace(/\p{Cc}/gu, " ")}\n` : "";
    process.stdout.write(line, (error) => {
      if (error) return;
      position.printed = seq;
      // One ACK for all entries of a read.
      this.acknowledging ??= setImmediate(() => this.acknowledge());
    });
  }

  /** Acknowledge the entries that are printed and not acknowledged yet. */
  acknowledge() {
    this.acknowledging = null;
    for (const [log, position] of this.positions) {
      if (!this.loggedIn || position.printed <= position.acknowledged) continue;
      this.send(ACK, 0, log, position.printed, 0, position.since);
      position.acknowledged = position.printed;
    }
  }
}

/** Send the lines of standard input. */
async function read(client) {
  // As Latin-1, each byte is a character, and only line feeds end a line.
  const input = process.stdin.setEncoding("latin1");
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for await (const bytes of readline.createInterface({ input, crlfDelay: Infinity })) {
    let line;
    try {
      line = decoder.decode(Buffer.from(bytes, "latin1"));
    } catch {
      complain("not sent: a line is not valid UTF-8");
      continue;
    }
    const [, recipient, text] = /^(?:@|(?=#))(\S+) (.*)$/su.exec(line) ?? [];
    if (recipient) client.post(recipient, text);
    else if (line) complain("Type @NAME TEXT or #ROOM TEXT.");
    while (client.unaccepted.size >= MAX_PENDING) await once(client, "answered");
  }
  while (client.unaccepted.size > 0) await once(client, "answered");
  client.stop();
}

module.exports = { decode, encode };

if (require.main === module) {
  const [name, address = `chat://127.0.0.1:${DEFAULT_PORT}`, ...more] = process.argv.slice(2);
  if (process.argv.slice(2).some((word) => ["-h", "--help"].includes(word))) {
    console.log(USAGE);
  } else if (!name || name.startsWith("-") || more.length > 0) {
    console.error(USAGE);
    process.exitCode = 2;
  } else {
    const fail = (error) => { console.error(error.message || error.code); process.exit(1); };
    try {
      process.stdout.on("error", ({ code }) => {
        // That the reader of a pipe has closed it is no error.
        if (code !== "EPIPE") console.error(`the output cannot be written: ${code}`);
        process.exit(1);
      });
      const password = process.env.CHATD_PASSWORD || null;
      const token = process.env.CHATD_TOKEN || null;
      const client = new Client(parseAddress(address), name, password, token);
      client.run().catch(fail);
      read(client);
    } catch (error) {
      fail(error);
    }
  }
}
