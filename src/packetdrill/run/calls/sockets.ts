import { formatIpv4Address, parseIpv4Address } from '../../../../stack/wire/ipv4.js';
import { MESSAGE, SOCKET, TCP } from '../../../posix/constants.js';
import type { Outcome, SocketAddress } from '../../../posix/socket-calls.js';
import { Unsupported } from '../../language/script-error.js';
import { type CValue, field, numberOf } from '../c-values.js';
import type { ScriptSocket } from '../connections.js';
import { symbolValue } from '../symbols.js';
import { infoField, TCP_INFO_BYTES_MAX } from '../tcp-info.js';
import type { CallRun, Issued } from './call-run.js';

/** `socket(..., SOCK_STREAM, IPPROTO_TCP) = 3` */
export function socket(run: CallRun): Issued {
  run.takes(3);
  const [domain] = run.args;
  const asked = domain.kind === 'any' ? SOCKET.AF_INET : numberOf(domain, 'a family');
  const six = asked === SOCKET.AF_INET6;
  if (six && !run.stage.settings.mapped) throw new Unsupported(domain.place, 'IPv6');
  const family = six ? SOCKET.AF_INET : asked;
  const type = run.number(1, 'a type');
  const call = run.calls.socket(family, type, run.number(2, 'a protocol'));
  return {
    call,
    finish: (outcome) => {
      if (outcome.result < 0) return;
      const made = run.stage.connections.add();
      made.protocol = (type & 0xf) === SOCKET.SOCK_DGRAM ? 'udp' : 'tcp';
      made.live.localAddress = run.stage.settings.localAddress;
      opened(run, made, outcome.result);
    },
  };
}

/** The script's number for a descriptor is what it wrote as the result. */
function opened(run: CallRun, socket: ScriptSocket, liveFd: number): void {
  socket.liveFd = liveFd;
  socket.scriptFd = run.event.result === undefined ? liveFd : run.stage.evaluator.number(run.event.result);
}

export function bind(run: CallRun): Issued {
  run.takes(3);
  const { settings } = run.stage;
  if (run.isNull(1)) return { call: run.fault(0) };
  const address = run.address(run.args[1]) ?? local(settings.localAddress, settings.bindPort);
  const socket = run.socket(0);
  const fd = run.fd(0);
  const call = run.calls.bind(fd, address);
  return {
    call,
    finish: (outcome) => {
      if (outcome.result === 0 && socket !== undefined) learnLocal(run, socket, fd);
    },
  };
}

function local(address: number, port: number): SocketAddress {
  return { family: SOCKET.AF_INET, host: formatIpv4Address(address), port };
}

/** Port 0 means one that the stack chooses. */
function learnLocal(run: CallRun, socket: ScriptSocket, fd: number): void {
  const name = run.calls.getsockname(fd);
  if (name.address === undefined) return;
  socket.live.localPort = name.address.port;
  // Bound to any address, it is reached under ours.
  const bound = parseIpv4Address(name.address.host) ?? 0;
  if (bound !== 0) socket.live.localAddress = bound;
}

export function listen(run: CallRun): Issued {
  run.takes(2);
  const socket = run.socket(0);
  const fd = run.fd(0);
  const call = run.calls.listen(fd, run.number(1));
  return {
    call,
    finish: (outcome) => {
      if (outcome.result !== 0 || socket === undefined) return;
      // Without bind() it listens on a port of the stack's choice.
      learnLocal(run, socket, fd);
      run.stage.connections.listens(socket);
    },
  };
}

/** accept and accept4 */
export function accept(run: CallRun): Issued {
  run.takes(3, 4);
  const call = run.calls.accept(run.fd(0), run.args.length > 3 ? run.number(3, 'flags') : 0);
  return {
    call,
    finish: (outcome) => {
      if (outcome.result < 0) return;
      const { connections } = run.stage;
      const host = parseIpv4Address(outcome.address?.host ?? '') ?? 0;
      const child = connections.byPeer(host, outcome.address?.port ?? 0) ?? connections.add();
      opened(run, child, outcome.result);
      run.compareAddress(run.args[1], outcome.address);
    },
  };
}

export function connect(run: CallRun): Issued {
  run.takes(3);
  if (disconnects(run)) return { call: run.calls.connect(run.fd(0), { family: SOCKET.AF_UNSPEC, host: '', port: 0 }) };
  if (run.isNull(1)) return { call: run.fault(0) };
  const address = connectAddress(run, run.args[1]);
  begin(run, address);
  return { call: run.calls.connect(run.fd(0), address) };
}

function connectAddress(run: CallRun, value: CValue | undefined): SocketAddress {
  const { settings } = run.stage;
  return run.address(value) ?? local(settings.remoteAddress, settings.connectPort);
}

/** `connect(4, AF_UNSPEC, ...)`, or the family in braces: the connection is given up. */
function disconnects({ event, args }: CallRun): boolean {
  const [, written] = event.args;
  const [, value] = args;
  if (written.kind === 'name') return written.name === 'AF_UNSPEC';
  const family = value.kind === 'struct' ? (field(value, 'sa_family') ?? field(value, 'sin_family')) : undefined;
  return family !== undefined && numberOf(family, 'a family') === SOCKET.AF_UNSPEC;
}

/** From here on the socket's SYN may come. */
function begin(run: CallRun, address: SocketAddress): void {
  const socket = run.socket(0);
  if (socket === undefined) return;
  run.stage.connections.underTest = socket;
  if (socket.protocol === 'tcp' && (socket.state === 'new' || isClosed(run, socket))) socket.connecting();
  if (address.host === '') return;
  socket.live.remoteAddress = parseIpv4Address(address.host) ?? 0;
  socket.live.remotePort = address.port;
}

/** Its connection has come to an end, or was given up: the next is another. */
function isClosed(run: CallRun, { liveFd }: ScriptSocket): boolean {
  if (liveFd === undefined) return false;
  const info = run.calls.getsockopt(liveFd, TCP.SOL_TCP, TCP.TCP_INFO, TCP_INFO_BYTES_MAX).data;
  return info !== undefined && infoField(info, 'tcpi_state') === symbolValue('TCP_CLOSE');
}

/** sendto and sendmsg may open a connection (RFC 7413), and of UDP they say to whom. */
export function destination(run: CallRun, wanted: CValue | undefined, flags: number): SocketAddress | undefined {
  const socket = run.socket(0);
  const opening = (flags & MESSAGE.MSG_FASTOPEN) !== 0;
  const udp = socket?.protocol === 'udp';
  const none = wanted === undefined || (wanted.kind === 'number' && wanted.value === 0);
  if (none || (wanted.kind === 'any' && !opening && !udp)) return undefined;
  // A connected socket for UDP may leave it open, and then means its peer.
  if (wanted.kind === 'any' && udp && socket.live.remotePort !== 0) return undefined;
  const address = connectAddress(run, wanted);
  if (opening || udp) begin(run, address);
  return address;
}

export function close(run: CallRun): Issued {
  run.takes(1);
  const fd = run.number(0, 'a descriptor');
  const epoll = run.stage.epolls.get(fd);
  if (epoll !== undefined) {
    run.stage.epolls.delete(fd);
    return { call: run.calls.close(epoll) };
  }
  if (run.stage.files.delete(fd)) return { call: { result: 0, errno: 0 } };
  const socket = run.socket(0);
  const call = run.calls.close(run.fd(0));
  // The number may be given anew while the call still lingers.
  if (socket !== undefined) socket.closed = true;
  return { call };
}

export function shutdown(run: CallRun): Issued {
  run.takes(2);
  return { call: run.calls.shutdown(run.fd(0), run.number(1, 'SHUT_RD, SHUT_WR or SHUT_RDWR')) };
}

export function getsockname(run: CallRun): Issued {
  run.takes(3);
  if (run.isNull(1) || run.isNull(2)) return { call: run.fault(0) };
  return { call: run.calls.getsockname(run.fd(0)), finish: (outcome) => compareName(run, outcome) };
}

export function getpeername(run: CallRun): Issued {
  run.takes(3);
  if (run.isNull(1) || run.isNull(2)) return { call: run.fault(0) };
  return { call: run.calls.getpeername(run.fd(0)), finish: (outcome) => compareName(run, outcome) };
}

function compareName(run: CallRun, outcome: Outcome): void {
  run.compareAddress(run.args[1], outcome.address);
}
