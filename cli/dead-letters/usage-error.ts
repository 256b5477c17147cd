/** What is wrong with the command line, or with the environment that stands in for it: exit code 2. */
export class UsageError extends Error {}
