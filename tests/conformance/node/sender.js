'use strict';
// A sender: runs `count` echo connections, `parallel` at a time, each with all of `messages`, and reports.
// settings: url (with sb-hc-action=connect), rule, key, count, parallel, and optionally
//   token       a ready-made token; null for none
//   messages    [{text} | {letters} | {size}]: a text, a random text or random bytes of a size
//   protocols   sub-protocols to offer
//   headers     more headers

const crypto = require('crypto');
const { hyco, settings, say, token } = require('./common');

const count = settings.count || 1;
const parallel = settings.parallel || 1;
const result = { done: 0, failures: [], protocols: [] };
const own = settings.token === undefined ? token() : settings.token;

function payloads() {
  return (settings.messages || [{ text: 'hello \u20ac' }, { size: 1000 }]).map(function (m) {
    if (m.letters) return crypto.randomBytes(m.letters / 2).toString('hex');
    return m.text !== undefined ? m.text : crypto.randomBytes(m.size);
  });
}

function connect() {
  if (!settings.protocols && !settings.headers) return hyco.relayedConnect(settings.url, own);
  const headers = Object.assign({}, settings.headers);
  if (own) headers.ServiceBusAuthorization = own;
  return new hyco(settings.url, settings.protocols, { headers: headers });
}

function one(done) {
  const waiting = payloads();
  let ended = false;
  const socket = connect();
  function finish(failure) {
    if (ended) return;
    ended = true;
    if (failure) result.failures.push(failure); else result.done += 1;
    done();
  }
  function next() {
    if (waiting.length === 0) { socket.close(1000, 'done'); return; }
    socket.send(waiting[0], { binary: typeof waiting[0] !== 'string' });
  }
  socket.on('open', function () {
    if (socket.protocol) result.protocols.push(socket.protocol);
    next();
  });
  socket.on('message', function (data, flags) {
    const sent = waiting.shift();
    const binary = !!(flags && flags.binary);
    if (binary !== (typeof sent !== 'string')) return finish({ text: 'text and binary were mixed up' });
    if (binary ? Buffer.compare(sent, data) !== 0 : sent !== data) return finish({ text: 'the echo differs' });
    next();
  });
  socket.on('unexpected-response', function (request, response) {
    finish({ status: response.statusCode, text: response.statusMessage });
    request.abort();
  });
  socket.on('error', function (error) { finish({ text: error.message }); });
  socket.on('close', function (code, reason) {
    finish(waiting.length ? { text: 'closed early', code: code, reason: reason } : null);
  });
}

let started = 0;
function pump() {
  if (started === count) {
    if (result.done + result.failures.length === count) { say('result', result); process.exit(0); }
    return;
  }
  started += 1;
  one(pump);
}
for (let i = 0; i < Math.min(parallel, count); i += 1) pump();
