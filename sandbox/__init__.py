"""A local Redshift and a local AWS to try, test and measure against: real logins, real messages, nothing installed."""
