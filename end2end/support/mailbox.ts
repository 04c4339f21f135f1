// Mail as a program reads it from the built-in mailbox. What the mailbox shows a person is in `specs/mailbox.spec.ts`.

import { pause } from './server.ts';

export type Letter = { id: string; to: string; subject: string; text: string; html: string; created_at: string };

/** How long the worker may take; far longer than it does. */
const PATIENCE_MS = 60_000;

export class Mailbox {
  constructor(private readonly url: string) {}

  /** Everything delivered so far, newest first. */
  async letters(): Promise<Letter[]> {
    const response = await fetch(`${this.url}/dev/mail.json`);
    if (!response.ok) throw new Error(`the mailbox answers ${response.status}`);
    return (await response.json()) as Letter[];
  }

  async lettersTo(address: string): Promise<Letter[]> {
    return (await this.letters()).filter((letter) => letter.to.includes(address));
  }

  /** The newest letter to `address` that says `words`, once there are `count` of them. */
  async waitFor(address: string, words: string, count = 1): Promise<Letter> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const letters = await this.lettersTo(address);
      const wanted = letters.filter((letter) => `${letter.subject}\n${letter.text}`.includes(words));
      if (wanted.length >= count && wanted[0]) return wanted[0];
      if (Date.now() > deadline) {
        const subjects = letters.map((letter) => letter.subject);
        throw new Error(`${wanted.length} of ${count} letters with "${words}" came to ${address}; there are: ${subjects}`);
      }
      await pause(100);
    }
  }
}
