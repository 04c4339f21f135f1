// A mail server that mail really goes to, by SMTP with a log-in, for the flows that follow a delivered letter.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

import { pause } from './server.ts';

/** How long the worker may take; far longer than it does. */
const PATIENCE_MS = 60_000;

const [USER, PASSWORD] = ['vestibule', 'a-password-of-the-mail-server'];

export class PostOffice {
  private readonly letters: { to: string; mail: ParsedMail }[] = [];

  private constructor(private readonly server: SMTPServer) {}

  static async open(): Promise<PostOffice> {
    const server = new SMTPServer({
      // Towards the same machine mail may go in plain text.
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      disableReverseLookup: true,
      onAuth: ({ username, password }, _, done) =>
        username === USER && password === PASSWORD ? done(null, { user: username }) : done(new Error('Wrong password')),
      onData: (stream, session, done) => {
        simpleParser(stream).then((mail) => {
          office.letters.push({ to: session.envelope.rcptTo.map(({ address }) => address).join(), mail });
          done();
        }, done);
      },
    });
    const office = new PostOffice(server);
    server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    return office;
  }

  /** `SMTP_URL`. */
  get url(): string {
    const { port } = this.server.server.address() as AddressInfo;
    return `smtp://${USER}:${PASSWORD}@127.0.0.1:${port}`;
  }

  /** The newest letter to `address` that says `words`, once it was delivered. */
  async waitFor(address: string, words: string): Promise<ParsedMail> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const letter = this.letters.filter(({ to, mail }) => to === address && mail.text?.includes(words)).at(-1);
      if (letter) return letter.mail;
      if (Date.now() > deadline) {
        const there = this.letters.map(({ to, mail }) => `${to}: ${mail.subject}`);
        throw new Error(`no letter with "${words}" came to ${address}; there are: ${there}`);
      }
      await pause(100);
    }
  }

  async close(): Promise<void> {
    await new Promise<void>((done) => this.server.close(done));
  }
}
