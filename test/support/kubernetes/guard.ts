import { type ChildProcess, spawn } from 'node:child_process'

// Lines are process ids to kill when standard input ends, which it does however the tests end; `none` takes them back.
const script = `
pids=
while read -r pid; do
  if [ "$pid" = none ]; then pids=; else pids="$pids $pid"; fi
done
[ -z "$pids" ] || { kill -9 $pids; sleep 1; rm -rf "$1"; } 2>/dev/null
`

/** Kills programs, and deletes their folder, when this process ends without having done it: also when it is killed. */
export class Guard {
  readonly #child: ChildProcess

  constructor(folder: string) {
    this.#child = spawn('sh', ['-c', script, 'guard', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    this.#child.stdin?.on('error', () => {})
    this.#child.unref()
  }

  watch({ pid }: ChildProcess): void {
    if (pid !== undefined) this.#child.stdin?.write(`${pid}\n`)
  }

  /** There is nothing left to do. */
  dismiss(): void {
    this.#child.stdin?.end('none\n')
  }
}
