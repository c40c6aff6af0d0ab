/** `npm run test:full`: everything that is exhaustive. The ordinary suite takes a share of it. */
export const FULL = process.env.MILLRACE_FULL === '1';
