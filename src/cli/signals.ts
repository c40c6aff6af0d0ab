/**
 * Ends by request: SIGINT and SIGTERM, or the channel to the process that started us. Resolves once and stays resolved, so
 * that a second Ctrl-C does not cut short what the first began.
 */
export class Ending {
  readonly requested: Promise<void>;
  #asked = false;
  #resolve: () => void = () => {};
  readonly #onSignal = (): void => this.request();

  constructor() {
    this.requested = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
    process.on('SIGHUP', this.#onSignal);
  }

  get asked(): boolean {
    return this.#asked;
  }

  request(): void {
    this.#asked = true;
    this.#resolve();
  }

  /** Signals do again what they did before. */
  release(): void {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
    process.off('SIGHUP', this.#onSignal);
  }
}
