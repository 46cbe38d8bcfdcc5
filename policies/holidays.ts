// Public holidays of countries.

import { createRequire } from "node:module";
import type Holidays from "date-holidays";

const require = createRequire(import.meta.url);
const dayMs = 86_400_000;
const memoItemsMax = 500;
const holidays = new Map<string, Set<number>>();

/** Whether a day, counted from 1 January 1970, is a public holiday of a country. */
export function isHoliday(country: string, epochDay: number): boolean {
	const year = new Date(epochDay * dayMs).getUTCFullYear();
	const key = `${country} ${year}`;
	let days = holidays.get(key);
	if (!days) {
		days = new Set(
			new (holidayTables())(country)
				.getHolidays(year)
				.filter(({ type }) => type === "public")
				.map(({ date }) => Date.parse(`${date.slice(0, 10)}T00:00:00Z`) / dayMs),
		);
		if (holidays.size >= memoItemsMax) holidays.clear();
		holidays.set(key, days);
	}
	return days.has(epochDay);
}

// Half of what the policies take in memory, and of the time that they take to load. Few rules close on holidays, and what
// is decided is decided at once: so the first that does waits for them, not each process that might.
function holidayTables(): typeof Holidays {
	return require("date-holidays");
}
