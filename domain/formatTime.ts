// A time as callers and records read it.

/** RFC 3339, UTC, with milliseconds. @param at epoch milliseconds */
export function formatTime(at: number): string;
export function formatTime(at: number | undefined): string | undefined;
export function formatTime(at: number | undefined): string | undefined {
	return at === undefined ? undefined : new Date(at).toISOString();
}
