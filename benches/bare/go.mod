module plimsoll.example/bare

go 1.21
