/** `bench cost`: what the stack's work over a TAP costs, for the cost model of virtual worlds. */
import { type CostModel, TAP_COSTS } from '../../src/host/cost-model.js';
import { measureCosts, requireRoot } from './lineup.js';
import { describeMachine } from './process-cost.js';
import { formatNumber, seriesOf } from './report.js';
import { Topology } from './topology.js';
import { withCleanUp } from './way-out.js';

const NAMES: Readonly<Record<keyof CostModel, string>> = {
  turnUs: 'a turn of the event loop',
  lookUs: 'a look at the device',
  receivedUs: 'a frame received',
  sentUs: 'a frame sent',
};

/** Prints the least of the runs for each constant: whatever else the machine does only adds. Throws TopologyError, LineupError. */
export async function runCost(runs: number, json: boolean): Promise<void> {
  requireRoot();
  const topology = new Topology(1500);
  const measured: CostModel[] = [];
  await withCleanUp(
    () => topology.close(),
    async () => {
      topology.open();
      for (let run = 0; run < runs; run++) {
        const { costs } = (await measureCosts(topology)) as { costs: CostModel };
        measured.push(costs);
      }
    },
  );
  const keys = Object.keys(NAMES) as (keyof CostModel)[];
  const least = Object.fromEntries(keys.map((key) => [key, seriesOf(measured.map((costs) => costs[key])).min]));
  if (json) {
    const report = { benchmark: 'cost', runs, machine: describeMachine(), costs: least, model: TAP_COSTS, measured };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const lines = keys.map((key) => `${NAMES[key]}: ${formatNumber(least[key])} µs; in the model ${TAP_COSTS[key]} µs`);
  const figure = keys.map((key) => `${key} ${formatNumber(least[key])}`).join(' · ');
  process.stdout.write(`${lines.join('\n')}\n${figure}\n`);
}
