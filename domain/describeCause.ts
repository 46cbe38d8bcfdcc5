// What the log hears of what went wrong inside.

/** What the log may know of a private cause: names, codes and places in our code; messages may quote what was sent. */
export function describeCause(cause: unknown): unknown {
	if (cause instanceof Error) {
		const { name, message, code } = cause as Error & { code?: unknown };
		// A message of several lines may have some that look like places: behind it alone are ours.
		const { stack = "" } = cause;
		const places = stack.includes(message) ? stack.slice(stack.indexOf(message) + message.length) : "";
		const frames = places.split("\n").filter((line) => /^\s+at /.test(line));
		return {
			name,
			code: typeof code === "string" ? code : undefined,
			at: frames.slice(0, 6).map((line) => line.trim()),
		};
	}
	if (cause && typeof cause === "object") {
		const { source, operation, path, status, reason, missing } = cause as Record<string, unknown>;
		return { source, operation, path, status, reason, missing };
	}
	return typeof cause === "string" ? cause.slice(0, 100) : undefined;
}
