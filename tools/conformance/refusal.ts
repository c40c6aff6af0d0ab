export type RefusalCode =
  | 'ERR_NO_APT'
  | 'ERR_NO_SOURCES'
  | 'ERR_NO_PACKAGE'
  | 'ERR_NO_NETWORK'
  | 'ERR_APT_FAILED'
  | 'ERR_UNPACK_FAILED'
  | 'ERR_CACHE'
  | 'ERR_NO_SCRIPTS'
  | 'ERR_PAGE'
  | 'ERR_INVALID_ARG_VALUE';

/** What stands in the way of a run, in words for the user. */
export class Refusal extends Error {
  constructor(
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
  }
}
