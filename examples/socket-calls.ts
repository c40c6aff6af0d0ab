/**
 * The socket calls as Linux has them, over a stack of ours in virtual time: descriptors, errno values, calls that wait. No root, no kernel. A client and a
 * server of one process talk over the stack's own address; then a read waits two seconds that take none.
 *
 *     node dist/examples/socket-calls.js
 */
import { errnoName, FILE, type Outcome, POLL, ScriptedWorld, SO, SOCKET, type SocketAddress } from 'millrace';

const world = new ScriptedWorld();
const { calls } = world;
const SERVER: SocketAddress = { family: SOCKET.AF_INET, host: '192.168.0.1', port: 8080 };

/** Prints a call as strace(1) would, and what it came to. */
function show(call: string, outcome: Outcome | undefined): number {
  const result =
    outcome === undefined ? '(waits)' : outcome.result < 0 ? `-1 ${errnoName(outcome.errno)}` : outcome.result;
  const at = ((world.nowUs - start) / 1e6).toFixed(3);
  console.log(`${at}  ${call} = ${result}`);
  return outcome?.result ?? -1;
}
const start = world.nowUs;

const listener = show('socket(AF_INET, SOCK_STREAM, 0)', calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0));
show('bind(3, 192.168.0.1:8080)', calls.bind(listener, SERVER));
show('listen(3, 5)', calls.listen(listener, 5));
show('fcntl(3, F_SETFL, O_NONBLOCK)', calls.fcntl(listener, FILE.F_SETFL, FILE.O_NONBLOCK));
show('accept(3)', calls.accept(listener).outcome);

const client = show('socket(AF_INET, SOCK_STREAM, 0)', calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0));
show('connect(4, 192.168.0.1:8080)', calls.connect(client, SERVER).outcome);
const server = show('accept(3)', calls.accept(listener).outcome);
show('send(4, "hello")', calls.send(client, Buffer.from('hello'), 0).outcome);
const fds = [{ fd: server, events: POLL.POLLIN, revents: 0 }];
show('poll([{5, POLLIN}], 1, 0)', calls.poll(fds, 0).outcome);
const read = calls.recv(server, 100, 0).outcome;
show(`read(5, "${Buffer.from(read?.data ?? []).toString()}", 100)`, read);

const twoSeconds = new Uint8Array(16);
twoSeconds[0] = 2;
show(
  'setsockopt(5, SOL_SOCKET, SO_RCVTIMEO, 2 s)',
  calls.setsockopt(server, SO.SOL_SOCKET, SO.SO_RCVTIMEO, twoSeconds),
);
const waiting = calls.recv(server, 100, 0);
show('read(5, …, 100)', waiting.outcome);
world.advance(world.nowUs + 5_000_000);
console.log(
  `${((waiting.completedUs - start) / 1e6).toFixed(3)}  … which came to ${errnoName(waiting.outcome?.errno ?? 0)}`,
);
show('close(4)', calls.close(client).outcome);
show('read(5, …, 100)', calls.recv(server, 100, 0).outcome);
show('close(5)', calls.close(server).outcome);
show('read(5, …, 100)', calls.recv(server, 100, 0).outcome);
