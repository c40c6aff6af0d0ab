/**
 * Millrace, as a program imports it: a stack, the devices it speaks through, a host that turns it, and what runs on it.
 *
 *     import { Host, NodeNet, openDevice, Stack } from 'millrace';
 */

export { CaptureDevice, type CaptureOptions } from '../drivers/capture.js';
export { type Driver, Layer } from '../drivers/driver.js';
export { FaultDevice } from '../drivers/fault.js';
export type { FaultCounters } from '../drivers/fault-lane.js';
export { type FaultOptions, type LaneFaults, noFaults, parseFaults } from '../drivers/fault-options.js';
export { createWire, LoopbackDevice, type WireOptions } from '../drivers/loopback.js';
export { type Describe, Observer } from '../drivers/observer.js';
export { type OpenDeviceOptions, openDevice } from '../drivers/open.js';
export { fileSink, type Sink } from '../drivers/sink.js';
export { openTap, openTun, TapDevice, type TapOptions } from '../drivers/tap.js';
export { TraceDevice, type TraceOptions } from '../drivers/trace.js';
export type { ErrorCode } from '../stack/base/errors.js';
export { StackError } from '../stack/base/errors.js';
export { Prng } from '../stack/base/prng.js';
export type { Address, ConnectionId, ListenerId, UdpId, Us } from '../stack/base/units.js';
export { FrameSlab, type FrameSlabOptions } from '../stack/memory/frame-slab.js';
export type { NetworkLimits } from '../stack/net/context.js';
export { type Device, type DeviceCounters, FrameBatch, Medium } from '../stack/net/device.js';
export type { EchoResult } from '../stack/net/echo.js';
export { Event, SocketKind } from '../stack/net/event-queue.js';
export type { Interface, InterfaceAddress, InterfaceOptions } from '../stack/net/interface.js';
export { Cause, Note, NoteKind } from '../stack/net/note.js';
export type { RouteOptions } from '../stack/net/route.js';
export type { Stats } from '../stack/net/stats.js';
export { Stack, type StackOptions } from '../stack/stack.js';
export type { CongestionControl } from '../stack/tcp/congestion.js';
export type { TcpInfo } from '../stack/tcp/info.js';
export type { TcpLimits } from '../stack/tcp/limits.js';
export { FREEBSD, LINUX, type TcpProfile } from '../stack/tcp/profile.js';
export { TcpOption } from '../stack/tcp/socket-options.js';
export { State, type StateName, stateName } from '../stack/tcp/state.js';
export type { ListenOptions } from '../stack/tcp/tcp.js';
export type { OpenOptions } from '../stack/tcp/user-calls.js';
export { UdpOption } from '../stack/udp/options.js';
export type { UdpLimits, UdpOpenOptions } from '../stack/udp/udp.js';
export { Direction } from '../stack/wire/pcapng.js';
export { FIRST_DROP, Verdict } from '../stack/wire/verdict.js';
export { verdictName, verdictSection, verdictText } from '../stack/wire/verdict-text.js';

export { createPageServer, type PageServerOptions } from './apps/page-server.js';
export { ChargenService, DiscardService, EchoService } from './apps/stream-services.js';
export { UdpEcho } from './apps/udp-echo.js';
export { type HostClock, monotonicClock, VirtualClock } from './host/clock.js';
export { Host, type HostOptions } from './host/host.js';
export type { StackHost } from './host/stack-host.js';
export type { Attachment, AttachOptions } from './host/turn.js';
export { VirtualHost, VirtualWorld } from './host/virtual-world.js';
export type { BindOptions, DatagramSocketOptions, MessageListener, RemoteInfo } from './node/datagram-socket.js';
export { DatagramSocket } from './node/datagram-socket.js';
export { DuplexSocket } from './node/duplex-socket.js';
export { type ConnectOptions, NodeNet, type NodeNetOptions } from './node/node-net.js';
export { CONSTANTS, FILE, IP, MESSAGE, POLL, SO, SOCKET, TCP } from './posix/constants.js';
export { ERRNO, type ErrnoName, errnoName } from './posix/errno.js';
export { PosixError } from './posix/posix-error.js';
export { ScriptedWorld, type ScriptedWorldOptions } from './posix/scripted-world.js';
export type { Outcome, PendingCall, PollFd, SocketAddress, SocketCalls } from './posix/socket-calls.js';
export { SocketSystem, type SocketSystemOptions } from './posix/socket-system.js';
export type { SentDatagram, World } from './posix/world.js';
export { Acceptor, Connector, SERVICE_EVENTS, type ServiceHandler } from './reactor/acceptor.js';
export { StackDemultiplexer, type SynchronousEventDemultiplexer } from './reactor/demultiplexer.js';
export type { EventHandler, Handle } from './reactor/event-handler.js';
export { Reactor, type ReactorOptions } from './reactor/reactor.js';
export { describeFrame, describeNote, NOTE_INTS } from './trace/describe.js';
