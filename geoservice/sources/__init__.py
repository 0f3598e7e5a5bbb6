"""Sources that do not post by themselves: brokers listened to, and feeds that are polled."""
