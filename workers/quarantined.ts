// Steps that do nothing while their process is in quarantine: they fail, and whoever drives them tries again later.

/** The same functions; each asks `check` first. @throws what `check` throws */
export function quarantined<Steps extends Record<string, (...args: never[]) => Promise<unknown>>>(
	steps: Steps,
	check: () => void | Promise<void>,
): Steps {
	const guarded = Object.entries(steps).map(([name, step]) => [
		name,
		async (...args: never[]) => {
			await check();
			return step(...args);
		},
	]);
	return Object.fromEntries(guarded) as Steps;
}
