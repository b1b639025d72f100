// Package protocol is the program's side of what scenario.py says.
package protocol

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const pauseAfterError = 20 * time.Millisecond

// Client has the operations; each gives its replies as text, "nil" for none.
type Client interface {
	Incr(key string) ([]string, error)
	Pipeline(key string, count int) ([]string, error)
	Transaction(one, other string) ([]string, error)
	Set(key, value string, life time.Duration) ([]string, error)
	Get(key string) ([]string, error)
	Watch(key string) ([]string, error)
	Exec(key, value string) ([]string, error)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func say(replies []string, err error) {
	if err != nil {
		fmt.Println("! " + strings.Join(strings.Fields(err.Error()), " "))
		time.Sleep(pauseAfterError)
		return
	}
	for _, reply := range replies {
		fmt.Println("= " + reply)
	}
}

// Serve does what standard input asks for, until it ends.
func Serve(client Client) {
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println(".") {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "incr":
			for i := 0; i < number(words[2]); i++ {
				say(client.Incr(words[1]))
			}
		case "pipeline":
			say(client.Pipeline(words[1], number(words[2])))
		case "transaction":
			say(client.Transaction(words[1], words[2]))
		case "set":
			say(client.Set(words[1], words[2], time.Duration(number(words[3]))*time.Millisecond))
		case "get":
			say(client.Get(words[1]))
		case "watch":
			say(client.Watch(words[1]))
		case "exec":
			say(client.Exec(words[1], words[2]))
		default:
			panic("unknown: " + words[0])
		}
	}
}
