// Who signs in. Everybody is somebody else, so that tests can share a server.

import { randomBytes } from 'node:crypto';

/** Everybody's password at first: long, and not guessable. */
export const PASSWORD = 'plum-Tractor-94-orbit';

/** What people change it to. */
export const NEW_PASSWORD = 'Copper7-lantern-vowel';

export class Person {
  /** Known once the account is made. */
  id = '';

  private constructor(
    readonly email: string,
    readonly username: string,
    readonly name: string,
    public password: string,
  ) {}

  static new(name = 'ann'): Person {
    const own = `${name}-${randomBytes(5).toString('hex')}`;
    return new Person(`${own}@example.com`, own, `${name[0]?.toUpperCase()}${name.slice(1)} Example`, PASSWORD);
  }
}
