import django.db.models.deletion
import django.utils.timezone
import shop.money
import uuid
from decimal import Decimal
from django.db import migrations, models


def charged_at_once(apps, schema_editor):
    """Until now a payment was charged the moment it was approved, and paid back whole."""
    Payment, Refund = apps.get_model("payment", "Payment"), apps.get_model("payment", "Refund")
    DemoCharge, DemoRefund = apps.get_model("payment", "DemoCharge"), apps.get_model("payment", "DemoRefund")
    paid = Payment.objects.filter(state__in=["succeeded", "refunding", "refunded"])
    for payment in paid.filter(state__startswith="refund"):
        done = payment.state == "refunded"
        refund = Refund.objects.create(
            payment=payment, amount=payment.amount, state="done" if done else "asked",
            ended_at=payment.ended_at if done else None,
        )
        if DemoCharge.objects.filter(pk=payment.idempotency_key, refunded=True).exists():
            DemoRefund.objects.create(
                idempotency_key=refund.idempotency_key, charge_id=payment.idempotency_key, amount=payment.amount
            )
    paid.filter(state__startswith="refund").update(refunded_amount=models.F("amount"))
    paid.update(captured_amount=models.F("amount"), captured_at=models.F("ended_at"), state="captured")
    DemoCharge.objects.filter(outcome="succeeded").update(outcome="authorised", captured=models.F("amount"))
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else the tables can't be altered further


class Migration(migrations.Migration):

    dependencies = [
        ('order', '0003_approved_context'),
        ('payment', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='DemoRefund',
            fields=[
                ('idempotency_key', models.UUIDField(primary_key=True, serialize=False)),
                ('amount', shop.money.MoneyField(decimal_places=2, max_digits=10)),
            ],
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', shop.money.MoneyField(decimal_places=2, max_digits=10, verbose_name='amount')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('state', models.CharField(choices=[('asked', 'being paid back'), ('done', 'paid back'), ('let_go', 'not charged'), ('failed', 'could not be paid back')], default='asked', max_length=8, verbose_name='state')),
                ('idempotency_key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('provider_id', models.CharField(blank=True, max_length=64, verbose_name="provider's id")),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='asked')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='answered')),
            ],
            options={
                'verbose_name': 'refund',
                'verbose_name_plural': 'refunds',
            },
        ),
        migrations.RemoveConstraint(
            model_name='payment',
            name='payment_one_open_or_paid',
        ),
        migrations.AddField(
            model_name='democharge',
            name='captured',
            field=shop.money.MoneyField(decimal_places=2, default=Decimal('0'), max_digits=10),
        ),
        migrations.AddField(
            model_name='democharge',
            name='voided',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='payment',
            name='captured_amount',
            field=shop.money.MoneyField(decimal_places=2, default=Decimal('0'), max_digits=10, verbose_name='charged'),
        ),
        migrations.AddField(
            model_name='payment',
            name='captured_at',
            field=models.DateTimeField(null=True, verbose_name='charged at'),
        ),
        migrations.AddField(
            model_name='payment',
            name='let_go_amount',
            field=shop.money.MoneyField(decimal_places=2, default=Decimal('0'), max_digits=10, verbose_name='not charged'),
        ),
        migrations.AddField(
            model_name='payment',
            name='refunded_amount',
            field=shop.money.MoneyField(decimal_places=2, default=Decimal('0'), max_digits=10, verbose_name='paid back'),
        ),
        migrations.AlterField(
            model_name='payment',
            name='ended_at',
            field=models.DateTimeField(null=True, verbose_name='answered'),
        ),
        migrations.AlterField(
            model_name='payment',
            name='state',
            field=models.CharField(choices=[('started', 'under way'), ('authorised', 'approved by the bank, charged when we dispatch'), ('capturing', 'being charged'), ('captured', 'paid'), ('voiding', 'being cancelled'), ('voided', 'cancelled, nothing was charged'), ('declined', 'declined'), ('failed', 'failed, nothing was charged')], default='started', max_length=12, verbose_name='state'),
        ),
        migrations.AddField(
            model_name='demorefund',
            name='charge',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refunds', to='payment.democharge'),
        ),
        migrations.AddField(
            model_name='refund',
            name='payment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='payment.payment'),
        ),
        migrations.RunPython(charged_at_once, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name='democharge',
            name='refunded',
        ),
        migrations.AddConstraint(
            model_name='democharge',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('captured__lte', models.F('amount')), ('voided', False)), models.Q(('captured', 0), ('voided', True)), _connector='OR'), name='demo_charge_captured_or_voided'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['started', 'authorised', 'capturing', 'captured'])), fields=('order',), name='payment_one_open_or_paid'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('provider_id', ''), _negated=True), fields=('provider', 'provider_id'), name='payment_provider_id_once'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('let_go_amount__gte', 0), ('let_go_amount__lt', models.F('amount'))), name='payment_let_go_at_most_all'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('captured_amount__gt', 0), ('captured_amount__lte', models.F('amount')), ('state__in', ['capturing', 'captured'])), models.Q(models.Q(('state__in', ['capturing', 'captured']), _negated=True), ('captured_amount', 0)), _connector='OR'), name='payment_captured_at_most_all'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('refunded_amount__gte', 0), ('refunded_amount__lte', models.F('captured_amount'))), name='payment_refunded_at_most_captured'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='refund_amount_positive'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('provider_id', ''), _negated=True), fields=('payment', 'provider_id'), name='refund_provider_id_once'),
        ),
    ]
