/**
 * Why scripts of the kernel fail here, by the kernel's version: one short sentence each. A script that fails and is not here is
 * unexplained; one that is here and passes is stale. Both fail the run.
 */
export type Reasons = Readonly<Record<string, string>>;

export const REASONS: Readonly<Record<string, Reasons>> = {
  '6.12': {},
  '7.3': {},
};
