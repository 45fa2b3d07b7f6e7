'use strict';
// One end of a hybrid connection with an unmodified library: node peer.js {ws|hyco-https} {listen|send} {settings}
// settings: query (the relay's parameters, form-encoded), base (wss://host:port/$hc/entity), token.
// Says on standard output, as JSON lines: listening, echoed (after the messages have come back), error.

const [library, role, text] = process.argv.slice(2);
const settings = JSON.parse(text);
const say = function (event, more) { process.stdout.write(JSON.stringify(Object.assign({ event: event }, more)) + '\n'); };
const fail = function (error) { say('error', { text: String(error && error.message || error) }); process.exit(1); };
process.on('uncaughtException', fail);
process.stdin.on('end', function () { process.exit(0); }).resume();

function echo(socket) {
  socket.on('message', function (data, binary) {
    socket.send(data, { binary: typeof binary === 'boolean' ? binary : typeof data !== 'string' });
  });
  socket.on('error', function () {});
}

if (library === 'hyco-https') {  // has a listener only
  // Its code for WebSockets uses two modules of ws that it has forgotten to load; it finds them as globals.
  const path = require('path').dirname(require.resolve('ws/package.json', { paths: [require.resolve('hyco-https')] }));
  global.Extensions = require(path + '/lib/extension');
  global.PerMessageDeflate = require(path + '/lib/permessage-deflate');
  const hyco = require('hyco-https');
  const server = hyco.createRelayedServer({ server: settings.base + '?sb-hc-action=listen', token: settings.token },
    function (request, response) { response.end(); });
  server.on('connection', echo);
  server.on('error', fail);
  server.on('listening', function () { say('listening'); });
  server.listen();
} else if (role === 'listen') {
  const WebSocket = require('ws');
  const control = new WebSocket(settings.base + '?sb-hc-action=listen&' + settings.query);
  control.on('open', function () { say('listening'); });
  control.on('error', fail);
  control.on('message', function (message) {
    echo(new WebSocket(JSON.parse(message).accept.address));
  });
} else {
  const WebSocket = require('ws');
  const socket = new WebSocket(settings.base + '?sb-hc-action=connect&' + settings.query);
  const waiting = ['text \u20ac', Buffer.alloc(100000, 7), 'last'];
  const next = function () {
    if (waiting.length > 0) return socket.send(waiting[0]);
    socket.close(1000, 'done');
  };
  socket.on('open', next);
  socket.on('unexpected-response', function (request, response) {
    say('refused', { status: response.statusCode, text: response.statusMessage });
    process.exit(0);
  });
  socket.on('error', fail);
  socket.on('message', function (data, binary) {
    const sent = waiting.shift();
    if (binary !== (typeof sent !== 'string') || Buffer.compare(data, Buffer.from(sent)) !== 0) fail('the echo differs');
    next();
  });
  socket.on('close', function (code) { say(waiting.length ? 'error' : 'echoed', { code: code }); process.exit(0); });
}
