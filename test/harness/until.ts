// How tests wait: for what they want to see, with a limit.

/** Waits for a condition, not for a time. */
export async function until<T>(
	condition: () => Promise<T | undefined | false> | T | undefined | false,
	limitMs = 20_000,
): Promise<T> {
	const end = Date.now() + limitMs;
	for (;;) {
		const value = await condition();
		if (value) return value;
		if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${condition.toString().slice(0, 120)}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
