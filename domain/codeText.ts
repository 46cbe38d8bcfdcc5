// What the SMS with a one-time code says, and the last line by which a browser offers it to its own site only.

/** Language → the text, with the code and who asks for it. Short, and of letters that GSM has: each of them is one SMS. */
const texts = {
	de: (code: string, name: string) => `${code} ist Ihr Code für ${name}. Geben Sie ihn niemandem weiter.`,
	en: (code: string, name: string) => `${code} is your code for ${name}. Don't share it with anyone.`,
	es: (code: string, name: string) => `${code} es tu clave para ${name}. No la compartas con nadie.`,
	fr: (code: string, name: string) => `${code} est votre code pour ${name}. Ne le donnez à personne.`,
	it: (code: string, name: string) => `${code} è il tuo codice per ${name}. Non darlo a nessuno.`,
	nl: (code: string, name: string) => `${code} is je code voor ${name}. Geef hem aan niemand.`,
	pt: (code: string, name: string) => `${code} é o seu PIN para ${name}. Nunca o partilhe com ninguém.`,
} as const;

export const codeTextLocales = Object.keys(texts) as [keyof typeof texts, ...(keyof typeof texts)[]];
export type CodeTextLocale = (typeof codeTextLocales)[number];

/** The built-in text. */
export function codeText(locale: CodeTextLocale, code: string, name: string): string {
	return texts[locale](code, name);
}

/** The text with its last line, `@host #code`: https://wicg.github.io/sms-one-time-codes/ */
export function bindToOrigin(text: string, host: string, code: string): string {
	return `${text}\n\n@${host} #${code}`;
}
