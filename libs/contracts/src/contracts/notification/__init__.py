"""What others see of Notification: mails, and what customers want to be told."""
