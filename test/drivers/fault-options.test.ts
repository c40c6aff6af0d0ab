import t from 'tap';
import { noFaults, parseFaults } from '../../drivers/fault-options.js';

t.test('every fault by name → parsed, for both directions', (t) => {
  const text =
    'loss=1%,burst=0.5%:8:90%,duplicate=0.5%,reorder=2%,corrupt=0.1%,delay=10ms,jitter=2ms,rate=10mbit,limit=500';
  const lane = {
    loss: 0.01,
    burstStart: 0.005,
    burstFrames: 8,
    burstLoss: 0.9,
    duplicate: 0.005,
    reorder: 0.02,
    corrupt: 0.001,
    delayUs: 10_000,
    jitterUs: 2_000,
    rateBits: 10e6,
    limit: 500,
  };
  t.same(parseFaults(text), { in: lane, out: lane });
  t.end();
});

t.test('in. and out. → that direction alone', (t) => {
  const faults = parseFaults('in.loss=5%, out.delay=1.5s,limit=7');
  t.same(faults.in, { ...noFaults(), loss: 0.05, limit: 7 });
  t.same(faults.out, { ...noFaults(), delayUs: 1_500_000, limit: 7 });
  t.end();
});

t.test('units and bounds → as written', (t) => {
  t.equal(parseFaults('delay=250us').in.delayUs, 250);
  t.equal(parseFaults('delay=0ms').in.delayUs, 0);
  t.equal(parseFaults('delay=60s').in.delayUs, 60_000_000);
  t.equal(parseFaults('rate=1.5gbit').in.rateBits, 1.5e9);
  t.equal(parseFaults('rate=64kbit').in.rateBits, 64_000);
  t.equal(parseFaults('rate=9600bit').in.rateBits, 9600);
  t.equal(parseFaults('loss=0%').in.loss, 0);
  t.equal(parseFaults('loss=100%').in.loss, 1);
  t.equal(parseFaults('burst=1%:4').in.burstLoss, 1, 'all of a burst is lost unless said otherwise');
  t.end();
});

const WRONG: readonly (readonly [string, RegExp])[] = [
  ['', /^"" is no fault: allowed are loss, burst, .*limit/],
  ['loss', /^"loss" is no fault/],
  ['lose=1%', /^"lose=1%" is no fault: allowed are loss, /],
  ['loss=1%,', /^"" is no fault/],
  ['up.loss=1%', /^"up\.loss=1%" is no fault/],
  ['constructor=1%', /^"constructor=1%" is no fault/],
  ['loss=1', /^fault "loss" is "1": allowed is a percentage from 0% to 100%/],
  ['loss=101%', /^fault "loss" is "101%"/],
  ['loss=-1%', /^fault "loss" is "-1%"/],
  ['loss=1e1%', /^fault "loss"/],
  ['duplicate=', /^fault "duplicate" is ""/],
  ['reorder=half', /^fault "reorder"/],
  ['corrupt=0,1%', /^fault "corrupt" is "0"/],
  ['burst=1%', /^fault "burst" is "1%": allowed is START:FRAMES/],
  ['burst=1%:0.5', /^fault "burst"/],
  ['burst=1%:8:200%', /^fault "burst"/],
  ['burst=1%:8:1%:1%', /^fault "burst"/],
  ['delay=10', /^fault "delay" is "10": allowed is a duration .* us, ms or s/],
  ['delay=61s', /^fault "delay" is "61s"/],
  ['delay=10min', /^fault "delay"/],
  ['rate=10', /^fault "rate" is "10": allowed is a rate from 1kbit to 100gbit/],
  ['rate=0mbit', /^fault "rate"/],
  ['rate=101gbit', /^fault "rate"/],
  ['limit=0', /^fault "limit" is "0": allowed is a number of frames from 1 to 100000/],
  ['limit=1.5', /^fault "limit"/],
  ['limit=100001', /^fault "limit"/],
  ['loss=1%,loss=2%', /^fault "loss" is given twice for direction "in"/],
  ['loss=1%,out.loss=2%', /^fault "loss" is given twice for direction "out"/],
  ['jitter=1ms', /^fault "jitter" is longer than "delay"/],
  ['delay=1ms,out.limit=9,jitter=1001us', /^fault "jitter" is longer than "delay"/],
];

for (const [text, message] of WRONG) {
  t.test(`"${text}" → refused, naming the fault and what is allowed`, (t) => {
    t.throws(() => parseFaults(text), { code: 'ERR_INVALID_ARG_VALUE', message });
    t.end();
  });
}
