// Opens the signed note on standard input with the verifier key given, and prints its text: another implementation's judgement.
package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	message, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		fail(err)
	}
	opened, err := note.Open(message, note.VerifierList(verifier))
	if err != nil {
		fail(err)
	}
	fmt.Print(opened.Text)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
