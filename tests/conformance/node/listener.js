'use strict';
// A listener that echoes. settings: url (with sb-hc-action=listen), rule, key, and optionally
//   token       a ready-made token instead
//   lifetime    seconds of each token
//   renewEvery  milliseconds between renewals (the library's own hour, shortened from outside)
//   reject      {code, text}: rejects every sender, by the protocol's own parameters
//   protocol    the sub-protocol to choose
//   quit        ends after the first error instead of connecting again

const { hyco, settings, say, token, onCommand } = require('./common');

if (settings.renewEvery) {
  const original = global.setInterval;
  global.setInterval = function (f, ms) { return original(f, ms === 3600000 ? settings.renewEvery : ms); };
}

let tokens = 0;
const options = {
  server: settings.url,
  token: settings.token || function () {
    tokens += 1;
    say('token', { number: tokens });
    return token(settings.lifetime);
  }
};
if (settings.protocol) {
  options.handleProtocols = function (offered, done) {
    say('offered', { protocols: offered });
    done(true, settings.protocol);
  };
}

const server = hyco.createRelayedServer(options, function (socket) {
  say('connection');
  socket.on('message', function (data, flags) {
    socket.send(data, { binary: !!(flags && flags.binary) });
  });
  socket.on('close', function (code, reason) { say('closed', { code: code, reason: reason }); });
  socket.on('error', function (error) { say('socket-error', { text: error.message }); });
});

server.on('listening', function () {
  const control = server.controlChannel;
  control.on('close', function (code, reason) { say('control-closed', { code: code, reason: reason }); });
  control.on('message', function (text) {
    const message = JSON.parse(text);
    if (message.accept) {
      say('accept', { address: message.accept.address, headers: message.accept.connectHeaders });
    }
  });
  if (settings.reject) {
    control.onmessage = function (event) {
      const address = JSON.parse(event.data).accept.address + '&sb-hc-statusCode=' + settings.reject.code +
        '&sb-hc-statusDescription=' + encodeURIComponent(settings.reject.text).replace(/%20/g, '+');
      const refusal = new hyco(address);
      refusal.on('unexpected-response', function (request, response) {
        say('rejected', { status: response.statusCode });
        request.abort();
      });
      refusal.on('error', function () {});
    };
  }
  say('listening');
});

let errors = 0;
server.on('error', function (event) {
  errors += 1;
  const text = event && (event.message || event.error && event.error.message) || String(event);
  say('error', { text: text, number: errors });
  if (settings.quit) process.exit(1);
});

onCommand(function (command) {
  if (command.close) {
    server.on('close', function () { say('server-closed'); process.exit(0); });
    server.close();
  }
});
