// Draws docs/images/link-page.png, the recipient's page as phones show it: npm run picture:page

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startChromium } from "../../stack/chromium.ts";
import { createReader } from "./reader.ts";

const phone = { viewport: { width: 360, height: 620 }, deviceScaleFactor: 2 } as const;
const file = join(import.meta.dirname, "..", "..", "docs", "images", "link-page.png");

test("the recipient's page is drawn", async () => {
	const browser = await startChromium();
	const reader = await createReader(browser);
	const shots: Buffer[] = [];
	try {
		for (const [locale, colorScheme, act] of [
			["en", "light", "none"],
			["en", "dark", "show"],
			["ar", "light", "wrong"],
		] as const) {
			const body = "Your blood test is fine. Nothing needs to be done; we see you on 14 March at 9.";
			const sent = await reader.send({ category: "health", dataClasses: ["health"], body, pin: "8203x" });
			const { page } = await reader.open(sent.url, { ...phone, locale, colorScheme });
			if (act !== "none") await reader.show(page, act === "show" ? "8203x" : "1111x");
			if (act === "show") await page.locator("#message").waitFor();
			if (act === "wrong") await reader.said(page, "4");
			shots.push(await page.screenshot());
		}
		const { page } = await reader.open("about:blank", { viewport: { width: 1140, height: 650 }, deviceScaleFactor: 1 });
		const images = shots.map(
			(shot) => `<img width="360" height="620" src="data:image/png;base64,${shot.toString("base64")}">`,
		);
		const style = "body{display:flex;gap:15px;margin:15px;background:#c9ccd1}";
		await page.setContent(`<style>${style}</style>${images.join("")}`);
		writeFileSync(file, await page.screenshot());
	} finally {
		await reader.close();
		await browser.close();
	}
});
