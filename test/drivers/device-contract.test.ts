import t from 'tap';
import { CaptureDevice } from '../../drivers/capture.js';
import { FaultDevice } from '../../drivers/fault.js';
import { noFaults } from '../../drivers/fault-options.js';
import { TraceDevice } from '../../drivers/trace.js';
import { deviceContract } from './contract.js';
import { onLoopback, onTap } from './fixtures.js';
import { enterNamespace } from './namespace.js';

const nowhere = { write() {}, close() {} };

deviceContract(t, 'loopback', onLoopback);
deviceContract(t, 'fault, without faults, over loopback', () =>
  onLoopback((inner) => new FaultDevice(inner, { in: noFaults(), out: noFaults() }, 1)),
);
deviceContract(t, 'capture over loopback', () => onLoopback((inner) => new CaptureDevice(inner, { sink: nowhere })));
deviceContract(t, 'capture with comments over loopback', () =>
  onLoopback((inner) => new CaptureDevice(inner, { sink: nowhere, describe: () => 'a comment' })),
);
deviceContract(t, 'capture over fault over loopback', () =>
  onLoopback(
    (inner) => new CaptureDevice(new FaultDevice(inner, { in: noFaults(), out: noFaults() }, 1), { sink: nowhere }),
  ),
);

deviceContract(t, 'trace over loopback', () => onLoopback((inner) => new TraceDevice(inner, { write() {} })));

const skip = enterNamespace();
if (skip === undefined) {
  deviceContract(t, 'tap', () => onTap());
  deviceContract(t, 'trace over capture over fault over tap', () =>
    onTap((inner) => {
      const fault = new FaultDevice(inner, { in: noFaults(), out: noFaults() }, 1);
      return new TraceDevice(new CaptureDevice(fault, { sink: nowhere }), { write() {}, describe: () => 'a comment' });
    }),
  );
} else t.test('tap', { skip }, (t) => t.end());
