"""What every client program needs: a server, its clients, and a person at a browser."""
