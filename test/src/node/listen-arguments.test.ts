import t from 'tap';
import { listenArguments } from '../../../src/node/listen-arguments.js';

const callback = (): void => {};

// Everything `server.listen` takes in Node's documentation, and what it means.
for (const [given, expected] of [
  [[], { port: 0, address: '0.0.0.0', backlog: 511 }],
  [[callback], { port: 0, address: '0.0.0.0', backlog: 511, callback }],
  [[8080], { port: 8080, address: '0.0.0.0', backlog: 511 }],
  [['8080'], { port: 8080, address: '0.0.0.0', backlog: 511 }],
  [[8080, '10.0.0.1'], { port: 8080, address: '10.0.0.1', backlog: 511 }],
  [[8080, 100], { port: 8080, address: '0.0.0.0', backlog: 100 }],
  [[8080, '10.0.0.1', 100, callback], { port: 8080, address: '10.0.0.1', backlog: 100, callback }],
  [[8080, undefined, callback], { port: 8080, address: '0.0.0.0', backlog: 511, callback }],
  [[{ port: 1, host: '::', backlog: 3 }, callback], { port: 1, address: '0.0.0.0', backlog: 3, callback }],
  [[{}], { port: 0, address: '0.0.0.0', backlog: 511 }],
] as const) {
  t.test(`(${given.map(String).join(', ')})`, (t) => {
    t.match(listenArguments(given), expected);
    t.end();
  });
}

t.test('bad values → the error Node has for them', (t) => {
  for (const port of [-1, 65_536, 1.5, '', Number.NaN, true]) {
    t.throws(() => listenArguments([port]), { name: 'RangeError', code: 'ERR_SOCKET_BAD_PORT' }, String(port));
  }
  t.throws(() => listenArguments([{ port: 1, host: 5 }]), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  // To Node a string that is no number is the path of a pipe.
  for (const kernels of ['http', '/tmp/socket', { path: '/tmp/socket' }, { fd: 3 }, { handle: {} }, { _handle: {} }]) {
    t.throws(() => listenArguments([kernels]), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  }
  t.end();
});
