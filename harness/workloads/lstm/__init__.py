"""a recurrent network"""
