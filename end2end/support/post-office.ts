// A mail server that is not ours, as an operator has one, and whoever fetches their mail there.

import type { AddressInfo } from 'node:net';

import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

import { pause } from './server.ts';

/** How long a letter may take; far longer than it does. */
const PATIENCE_MS = 60_000;

const USER = 'vestibule';
const PASSWORD = 'p@ss/word';

/** Where letters are read, on a page that is not ours either. */
export const WEBMAIL = 'http://webmail.example';

export class PostOffice {
  private readonly letters: { to: string[]; email: Email }[] = [];

  private readonly server = new SMTPServer({
    authMethods: ['PLAIN', 'LOGIN'],
    // It is on this machine, where it may be talked to without TLS.
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    closeTimeout: 1_000,
    onAuth: ({ username, password }, _, done) => {
      const known = username === USER && password === PASSWORD;
      done(known ? null : new Error('wrong user or password'), { user: username });
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        PostalMime.parse(Buffer.concat(chunks)).then((email) => {
          this.letters.push({ to, email });
          done();
        }, done);
      });
    },
  });

  static async open(): Promise<PostOffice> {
    const office = new PostOffice();
    await new Promise<void>((resolve, reject) => {
      office.server.on('error', reject);
      office.server.listen(0, '127.0.0.1', resolve);
    });
    return office;
  }

  /** `SMTP_URL`. */
  get url(): string {
    const { port } = this.server.server.address() as AddressInfo;
    return `smtp://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(resolve));
  }

  /** The letter to `address` with that subject, once it is there. */
  async waitFor(address: string, subject: string): Promise<Email> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const own = this.letters.filter(({ to }) => to.includes(address)).map(({ email }) => email);
      const wanted = own.find((email) => email.subject === subject);
      if (wanted) return wanted;
      if (Date.now() > deadline) {
        throw new Error(`no letter "${subject}" came to ${address}; there are: ${own.map((email) => email.subject)}`);
      }
      await pause(20);
    }
  }
}
