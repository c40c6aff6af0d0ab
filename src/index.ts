/**
 * Millrace, as a program imports it: a stack, the devices it speaks through, a host that turns it, and what runs on it.
 *
 *     import { Host, NodeNet, Stack, TapDevice } from 'millrace';
 */

export type { ErrorCode } from '../stack/base/errors.js';
export { StackError } from '../stack/base/errors.js';
export type { Address, ConnectionId, ListenerId, UdpId, Us } from '../stack/base/units.js';
export { FrameSlab, type FrameSlabOptions } from '../stack/memory/frame-slab.js';
export { type Device, type DeviceCounters, FrameBatch, Medium } from '../stack/net/device.js';
export { Event, SocketKind } from '../stack/net/event-queue.js';
export type { Interface, InterfaceAddress, InterfaceOptions } from '../stack/net/interface.js';
export type { RouteOptions } from '../stack/net/route.js';
export { Stack, type StackOptions } from '../stack/stack.js';
export type { TcpInfo } from '../stack/tcp/info.js';
export { TcpOption } from '../stack/tcp/socket-options.js';
export { State, type StateName, stateName } from '../stack/tcp/state.js';
export type { ListenOptions } from '../stack/tcp/tcp.js';
export type { OpenOptions } from '../stack/tcp/user-calls.js';

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
export { Acceptor, Connector, SERVICE_EVENTS, type ServiceHandler } from './reactor/acceptor.js';
export { StackDemultiplexer, type SynchronousEventDemultiplexer } from './reactor/demultiplexer.js';
export type { EventHandler, Handle } from './reactor/event-handler.js';
export { Reactor, type ReactorOptions } from './reactor/reactor.js';
