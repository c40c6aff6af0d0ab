/**
 * `npm run test:full` sets MILLRACE_FULL=1: tests that can go on for long (seeds, fuzzed frames, large floods) then do
 * all of it. Without it they do a share that the gate has time for.
 */
export const FULL = process.env.MILLRACE_FULL === '1';
