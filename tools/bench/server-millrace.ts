/**
 * Echo, discard and chargen on Millrace over a TAP. `node server-millrace.js reactor|sockets DEVICE KERNEL-ADDRESS/LENGTH ADDRESS MTU`
 *
 * `reactor`: the applications the package ships, on integer handles. `sockets`: the very code the yardstick runs, on Node's
 * own sockets over ours. All limits are the defaults; congestion control is Reno, as on the kernel's side.
 */
import { openTap } from '../../drivers/tap.js';
import { ChargenService, DiscardService, EchoService } from '../../src/apps/stream-services.js';
import { monotonicClock } from '../../src/host/clock.js';
import { Host } from '../../src/host/host.js';
import { NodeNet } from '../../src/node/node-net.js';
import { Acceptor, type ServiceHandler } from '../../src/reactor/acceptor.js';
import { FrameSlab, HEADROOM_BYTES } from '../../stack/memory/frame-slab.js';
import { Stack } from '../../stack/stack.js';
import { serveParent } from './server-parent.js';
import { serveSockets } from './socket-services.js';
import { Service } from './workload.js';

const [kind = '', interfaceName = '', hostAddress = '', address = '', mtu = '1500'] = process.argv.slice(2);
const device = openTap(interfaceName, { hostAddress, mtu: Number(mtu) });
/** Slots that hold a frame of this MTU: headroom, link header with a VLAN tag, and the byte by which a frame too long is seen. */
const slotBytes = Math.max(2048, 2 ** Math.ceil(Math.log2(HEADROOM_BYTES + 18 + device.mtu + 1)));
const stack = new Stack({
  seed: 1,
  now: monotonicClock.now(),
  slab: new FrameSlab({ slotBytes }),
  tcp: { congestion: 'reno' },
});
const host = new Host({ stack });
const local = stack.net.parseAddress(address);
host.attach(device, { addresses: [{ address: local, prefixLength: 24 }] });

function serve(port: Service, service: ServiceHandler): void {
  new Acceptor(stack, host.reactor, { address: local, port, backlog: 1024, noDelay: true }, service);
}

if (kind === 'reactor') {
  serve(Service.ECHO, new EchoService(host));
  serve(Service.DISCARD, new DiscardService(host));
  serve(Service.CHARGEN, new ChargenService(host));
} else {
  const net = new NodeNet(host);
  await serveSockets((options, listener) => net.createServer(options, listener), address);
}
host.start();
serveParent(() => host.stop());
