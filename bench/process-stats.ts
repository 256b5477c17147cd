import { readdirSync, readFileSync } from 'node:fs'

// USER_HZ is 100 on every Linux that Node runs on, whatever the kernel's own tick
const tickUs = 10_000

function cpuOf(stat: string): number {
  // the command's name may hold blanks and brackets: count from the last bracket
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickUs
}

/**
 * CPU that a process with all its threads, also ended ones, has used: user and system time.
 *
 * @returns microseconds, in steps of 10 ms
 * @throws Error when there is no such process
 */
export function processCpuUs(pid: number): number {
  return cpuOf(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

/** CPU of each living thread in microseconds, by its name and id. */
export function threadCpuUs(pid: number): Map<string, number> {
  const threads = new Map<string, number>()
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8')
    threads.set(`${stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))} ${tid}`, cpuOf(stat))
  }
  return threads
}

/** The most memory that a process ever had resident (VmHWM), in bytes. */
export function peakRssBytes(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1] ?? 0) * 1024
}
