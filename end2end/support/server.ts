// The real binary, started as its users start it, with a database of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { type Letter, Mailbox } from './mailbox.ts';
import { Person } from './person.ts';

const BUILT = fileURLToPath(new URL('../../target/debug/vestibule', import.meta.url));
const BINARY = resolve(process.env.VESTIBULE_BIN ?? BUILT);

/** Longer than a debug build takes to start, or to stop, on a machine that is busy with something else. */
const PATIENCE_MS = 60_000;

export type Settings = Record<string, string>;

export type Circumstances = {
  /** No file of the server's may grow beyond this, as on a disk that is full. */
  diskKiB?: number;
};

export class Server {
  readonly mailbox: Mailbox;
  private log = '';

  private constructor(
    readonly port: number,
    readonly directory: string,
    private readonly environment: Settings,
    private readonly child: ChildProcess,
  ) {
    this.mailbox = new Mailbox(this.url);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    }
  }

  /** Starts a server with a fresh database, and gives it once it listens. */
  static async start(settings: Settings = {}, circumstances: Circumstances = {}): Promise<Server> {
    for (let tries = 1; ; tries++) {
      const port = await freePort();
      const directory = await mkdtemp(join(tmpdir(), 'vestibule-end2end-'));
      const environment = { HOST: '127.0.0.1', PORT: String(port), DATA_DIR: directory, RATE_LIMITS: 'off', ...settings };
      const [program, ...args] = commandLine(circumstances);
      const child = spawn(program, args, { cwd: directory, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
      const server = new Server(port, directory, environment, child);
      try {
        await server.listening();
        return server;
      } catch (error) {
        await server.stop();
        // A port found free can be taken before the server has it: then another one is tried.
        if (tries === 3) throw error;
      }
    }
  }

  /** The origin under which it is reached. */
  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** All that it has written so far. */
  output(): string {
    return this.log;
  }

  private async listening(): Promise<void> {
    let broken: Error | undefined;
    this.child.once('error', (error) => (broken = error));
    const deadline = Date.now() + PATIENCE_MS;
    while (!this.log.includes('listening on http')) {
      if (broken) throw new Error(`${BINARY} cannot be started: ${broken.message}`);
      if (this.child.exitCode !== null) throw new Error(`${BINARY} ended by itself:\n${this.log}`);
      if (Date.now() > deadline) throw new Error(`${BINARY} does not listen:\n${this.log}`);
      await pause(10);
    }
  }

  /** Asks it to stop, as an operator does, waits for its end and takes its directory away. */
  async stop(): Promise<void> {
    if (this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      const impatient = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
      await ended;
      clearTimeout(impatient);
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Runs `vestibule arguments…` beside the server, with `input` on its standard input; gives what it printed. */
  async command(args: string[], input = ''): Promise<string> {
    const child = spawn(BINARY, args, { cwd: this.directory, env: this.environment });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.stdin.end(input);
    const [status] = await once(child, 'close');
    if (status !== 0) throw new Error(`vestibule ${args.join(' ')} ended with ${status}:\n${output}`);
    return output;
  }

  /** A new account, made through the API. */
  async signUp(person: Person = Person.new()): Promise<Person> {
    const answer = await this.post('/api/auth/register', {
      email: person.email,
      username: person.username,
      name: person.name,
      password: person.password,
    });
    person.id = String(answer.id);
    return person;
  }

  /** Several new accounts. */
  async signUpMany(count: number, name: string): Promise<Person[]> {
    const people = Array.from({ length: count }, () => Person.new(name));
    for (let done = 0; done < count; done += 4) {
      await Promise.all(people.slice(done, done + 4).map((person) => this.signUp(person)));
    }
    return people;
  }

  /** A new account whose address is verified by the mailed link. */
  async signUpVerified(person: Person = Person.new()): Promise<Person> {
    await this.signUp(person);
    await this.post('/api/auth/verify-email', { token: await this.verificationToken(person) });
    return person;
  }

  /** A new admin, made on the command line. */
  async makeAdmin(person: Person = Person.new('root')): Promise<Person> {
    const { email, username, name } = person;
    const names = ['--email', email, '--username', username, '--name', name];
    await this.command(['user', 'create', '--admin', ...names], `${person.password}\n`);
    const user = JSON.parse(await this.command(['user', 'list', '--search', email, '--json']));
    person.id = String((Array.isArray(user) ? user[0] : user).id);
    return person;
  }

  /** Shuts an account out, as the operator can. */
  async disable(person: Person): Promise<void> {
    await this.command(['user', 'disable', person.email]);
  }

  /** Writes over the database, as a broken disk does. */
  async damageDatabase(): Promise<void> {
    for (const name of ['vestibule.db', 'vestibule.db-wal', 'vestibule.db-shm']) {
      const file = await open(join(this.directory, name), 'r+');
      const { size } = await file.stat();
      await file.write(Buffer.alloc(size, 0x5a), 0, size, 0);
      await file.close();
    }
  }

  /** Takes the directory of the built-in mailbox away. */
  async loseMailbox(): Promise<void> {
    await rm(join(this.directory, 'mail'), { recursive: true });
  }

  /** Writes until nothing more fits onto the disk. */
  async fillDisk(person: Person): Promise<void> {
    const rename = await this.renaming(person);
    for (let writes = 0; writes < 1000; writes++) if ((await rename()) === 503) return;
    throw new Error('the disk is never full');
  }

  /** Has this many events happen to an account. */
  async makeHistory(person: Person, events: number): Promise<void> {
    const rename = await this.renaming(person);
    for (let done = 0; done < events; done++) {
      const status = await rename();
      if (status !== 200) throw new Error(`a change of name was answered with ${status}`);
    }
  }

  /** What changes an account's name, back and forth, and gives the status of the answer. */
  private async renaming(person: Person): Promise<() => Promise<number>> {
    const authorization = `Bearer ${await this.accessToken(person)}`;
    const headers = { authorization, 'content-type': 'application/json' };
    let times = 0;
    return async () => {
      const body = JSON.stringify({ name: times++ % 2 === 0 ? `${person.name} the Second` : person.name });
      const answer = await fetch(`${this.url}/api/auth/me`, { method: 'PATCH', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    };
  }

  async verificationToken(person: Person): Promise<string> {
    return tokenIn(await this.mailbox.waitFor(person.email, '/verify-email'));
  }

  /** Asks for a reset link, as "Forgot your password?" does, and reads its token from the mailbox. */
  async resetToken(person: Person): Promise<string> {
    await this.post('/api/auth/forgot-password', { email: person.email });
    return tokenIn(await this.mailbox.waitFor(person.email, '/reset-password'));
  }

  /** Posts JSON as a program does, which sends no cookies and comes from no page. */
  async post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : {};
  }

  /** A log-in by the API; gives the access token. */
  async accessToken(person: Person): Promise<string> {
    const answer = await this.post('/api/auth/login', { email: person.email, password: person.password });
    return String(answer.access_token);
  }
}

/** What starts the server. `ulimit` counts in blocks of 512 bytes, and its signal would end a program that meets it. */
function commandLine({ diskKiB }: Circumstances): [string, ...string[]] {
  if (diskKiB === undefined) return [BINARY];
  return ['/bin/sh', '-c', `trap '' XFSZ; ulimit -f ${diskKiB * 2}; exec "$0"`, BINARY];
}

/** The token in the link of a letter. */
export function tokenIn(letter: Letter): string {
  const token = /\?token=([\w-]+)/.exec(letter.text)?.[1];
  if (!token) throw new Error(`there is no link in ${letter.text}`);
  return token;
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

let lastPort = 11_000 + (process.pid % 400) * 20;

/** A port that nobody listens on, below those that systems give to whoever asks for any. */
async function freePort(): Promise<number> {
  for (;;) {
    lastPort = lastPort >= 19_999 ? 11_000 : lastPort + 1;
    if (await isFree(lastPort)) return lastPort;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
