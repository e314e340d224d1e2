"""What a page is drawn from: templates and texts in both languages; knows no request."""
