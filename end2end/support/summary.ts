// The last line of a run: how many tests there were, and how they ended.

import type { FullConfig, FullResult, Reporter, Suite } from '@playwright/test/reporter';

export default class Summary implements Reporter {
  private suite: Suite | undefined;

  onBegin(_: FullConfig, suite: Suite): void {
    this.suite = suite;
  }

  onEnd(result: FullResult): void {
    const outcomes = (this.suite?.allTests() ?? []).map((test) => test.outcome());
    const count = (wanted: string) => outcomes.filter((outcome) => outcome === wanted).length;
    const failed = count('unexpected') + (result.status === 'failed' && outcomes.length === 0 ? 1 : 0);
    console.log(`\nbrowser: ${count('expected') + count('flaky')} passed, ${failed} failed, ${count('skipped')} skipped`);
  }

  printsToStdio(): boolean {
    return true;
  }
}
