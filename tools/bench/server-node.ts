/** Echo, discard and chargen on Node's own `net`: the yardstick. `node server-node.js ADDRESS` */
import { createServer } from 'node:net';
import { serveParent } from './server-parent.js';
import { serveSockets } from './socket-services.js';

const [address = '0.0.0.0'] = process.argv.slice(2);
await serveSockets(createServer, address);
serveParent();
