import t from 'tap';
import { CUBIC } from '../../stack/tcp/cubic.js';
import { DCTCP } from '../../stack/tcp/dctcp.js';
import { RENO } from '../../stack/tcp/reno.js';
import { AIMD } from '../stack/tcp/aimd.js';
import { congestionSuite } from './congestion-suite.js';

for (const control of [RENO, CUBIC, DCTCP, AIMD]) {
  t.test(control.name, (t) => {
    congestionSuite(t, control);
    t.end();
  });
}
