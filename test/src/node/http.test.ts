import t from 'tap';
import { httpContract } from './http-contract.js';
import { twoNets } from './worlds.js';

httpContract(t, 'net.Socket', (t) => twoNets(t));
httpContract(t, 'Duplex', (t) => twoNets(t, { plainStreams: true }));
