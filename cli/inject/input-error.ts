/** Something that the user gave cannot be worked with; the message says what and where, in one or more lines. */
export class InputError extends Error {}
