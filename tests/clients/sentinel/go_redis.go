// go_redis SENTINEL-PORT…: writes w:1, w:2, … to the master that the Sentinels name, one line for each that was
// acknowledged, until it is ended.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

func main() {
	addresses := []string{}
	for _, port := range os.Args[1:] {
		addresses = append(addresses, "127.0.0.1:"+port)
	}
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "mymaster", SentinelAddrs: addresses})
	for number := 1; ; number++ {
		if err := client.Set(context.Background(), fmt.Sprintf("w:%d", number), number, 0).Err(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		fmt.Println(number)
	}
}
