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
    const own = unique(name);
    return new Person(`${own}@example.com`, own, `${name[0]?.toUpperCase()}${name.slice(1)} Example`, PASSWORD);
  }

  /** The only one of this name at their server. */
  static called(username: string, name: string): Person {
    return new Person(`${username}@example.com`, username, name, PASSWORD);
  }

  /** Somebody whose address, username and name are as long as they may be, and have no place to break. */
  static withLongestWords(): Person {
    const own = unique('ann').padEnd(64, 'n');
    return new Person(`${own}@${'long'.repeat(15)}.example.com`, own, 'Ann'.padEnd(100, 'n'), PASSWORD);
  }
}

function unique(name: string): string {
  return `${name}-${randomBytes(5).toString('hex')}`;
}
