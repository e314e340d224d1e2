"""The administrator's pages: calendar, hours, directory, prompts, accounts, tokens, audit log. Stands on `visit`."""
