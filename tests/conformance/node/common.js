'use strict';
// What the two scripts share: settings from the command line, events as JSON lines on standard output,
// and commands as JSON lines from standard input.

const hyco = require('hyco-ws');
const readline = require('readline');

const settings = JSON.parse(process.argv[2]);

function say(event, more) {
  process.stdout.write(JSON.stringify(Object.assign({ event: event }, more)) + '\n');
}

// The audience keeps the path of the relay's URL, as the library's own helper makes it.
function token(seconds, rule, key) {
  return hyco.createRelayToken(settings.url.replace(/\?.*/, ''), rule || settings.rule, key || settings.key,
    seconds || 3600);
}

function onCommand(handle) {
  readline.createInterface({ input: process.stdin })
    .on('line', function (line) { handle(JSON.parse(line)); })
    .on('close', function () { process.exit(0); });
}

process.on('uncaughtException', function (error) {
  say('crash', { text: String(error && error.stack || error) });
  process.exit(70);
});

module.exports = { hyco, settings, say, token, onCommand };
