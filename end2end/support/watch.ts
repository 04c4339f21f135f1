// Looks over the tests' shoulders: whatever a browser complains about, and whatever the server logs as its own fault,
// fails the test, unless the test said that it is what it is about.

import type { BrowserContext, ConsoleMessage, Request, Response } from '@playwright/test';

/** What may always be: a page is left before all it shows is there, or while the meter still waits for the server's verdict. */
const USUAL = [/^request failed: (GET \S+\/assets\/\S+|POST \S+\/api\/auth\/password-strength) net::ERR_ABORTED$/];

export class Watch {
  private readonly complaints: string[] = [];
  private readonly expected: RegExp[] = [...USUAL];
  private origins: string[] = [];

  /** Servers that the browsers of this test may talk to. */
  trust(origin: string): void {
    this.origins.push(origin);
  }

  /** Takes what matches for a part of the test. */
  expect(...patterns: RegExp[]): void {
    this.expected.push(...patterns);
  }

  /** The page itself answers with this status, which Chromium's console mentions. */
  expectStatus(...statuses: number[]): void {
    for (const status of statuses) {
      this.expect(new RegExp(`^console error: Failed to load resource: .* status of ${status} `));
      this.expect(new RegExp(`^answered ${status}: `));
    }
  }

  over(context: BrowserContext): void {
    context.on('console', (message) => this.hear(message));
    context.on('weberror', (error) => this.complain(`page error: ${error.error().stack ?? error.error().message}`));
    context.on('request', (request) => this.inspect(request));
    context.on('requestfailed', (request) => {
      this.complain(`request failed: ${request.method()} ${request.url()} ${request.failure()?.errorText}`);
    });
    context.on('response', (response) => this.judge(response));
  }

  /** Reads what the server wrote during the test. */
  readLog(log: string): void {
    for (const line of log.split('\n')) {
      if (/\bERROR\b|panicked|content security policy violated/.test(line)) this.complain(`server log: ${line}`);
    }
  }

  /** What nobody expected. */
  unexpected(): string[] {
    return this.complaints.filter((complaint) => !this.expected.some((pattern) => pattern.test(complaint)));
  }

  private complain(complaint: string): void {
    this.complaints.push(complaint);
  }

  private hear(message: ConsoleMessage): void {
    if (['error', 'warning', 'assert'].includes(message.type())) {
      this.complain(`console ${message.type()}: ${message.text()} at ${message.location().url}`);
    }
  }

  private inspect(request: Request): void {
    const url = new URL(request.url());
    if (url.pathname === '/api/csp-report') this.complain(`policy violated: ${request.postData()}`);
    const isOwn = ['about:', 'blob:', 'data:'].includes(url.protocol) || this.origins.includes(url.origin);
    if (!isOwn) this.complain(`request to elsewhere: ${request.method()} ${url.href}`);
  }

  private judge(response: Response): void {
    if (response.status() >= 500) {
      this.complain(`answered ${response.status()}: ${response.request().method()} ${response.url()}`);
    }
  }
}
