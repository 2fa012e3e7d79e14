import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import shop.money
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('product', '0002_unaccent'),
    ]

    operations = [
        migrations.CreateModel(
            name='Attribute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, verbose_name='name')),
                ('slug', models.SlugField(max_length=40, unique=True, verbose_name='slug')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
            ],
            options={
                'verbose_name': 'attribute',
                'verbose_name_plural': 'attributes',
                'ordering': ['position', 'name'],
            },
        ),
        migrations.CreateModel(
            name='AttributeValue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, verbose_name='name')),
                ('slug', models.SlugField(max_length=40, verbose_name='slug')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
            ],
            options={
                'verbose_name': 'attribute value',
                'verbose_name_plural': 'attribute values',
                'ordering': ['attribute__position', 'attribute__name', 'position', 'name'],
            },
        ),
        migrations.CreateModel(
            name='Brand',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True, verbose_name='name')),
                ('slug', models.SlugField(max_length=80, unique=True, verbose_name='slug')),
            ],
            options={
                'verbose_name': 'brand',
                'verbose_name_plural': 'brands',
            },
        ),
        migrations.CreateModel(
            name='Option',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, verbose_name='name')),
                ('values', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60, validators=[django.core.validators.MinLengthValidator(1)]), help_text='In the order in which they are shown, with commas between them.', size=None, verbose_name='values')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
            ],
            options={
                'verbose_name': 'option',
                'verbose_name_plural': 'options',
                'ordering': ['position', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='ProductPicture',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('image', models.ImageField(blank=True, height_field='height', max_length=200, upload_to='products/', verbose_name='picture', width_field='width')),
                ('static_path', models.CharField(blank=True, editable=False, max_length=200)),
                ('width', models.PositiveIntegerField(default=800, editable=False)),
                ('height', models.PositiveIntegerField(default=800, editable=False)),
                ('alt', models.CharField(help_text="What somebody who can't see the picture should know of it.", max_length=200, verbose_name='picture in words')),
                ('shows', models.CharField(blank=True, help_text='The value of an option, such as a colour, or the name of a variant. Empty: all of them.', max_length=78, verbose_name='shows')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
            ],
            options={
                'verbose_name': 'picture',
                'verbose_name_plural': 'pictures',
                'ordering': ['position', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Related',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
            ],
            options={
                'verbose_name': 'related product',
                'verbose_name_plural': 'related products',
                'ordering': ['position', 'pk'],
            },
        ),
        migrations.AddField(
            model_name='category',
            name='parent',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='product.category', verbose_name='part of'),
        ),
        migrations.AddField(
            model_name='category',
            name='path',
            field=models.CharField(default='', editable=False, max_length=400),
        ),
        migrations.AddField(
            model_name='product',
            name='publish_at',
            field=models.DateTimeField(default=django.utils.timezone.now, help_text='A published product appears by itself at this time.', verbose_name='shown from'),
        ),
        migrations.AddField(
            model_name='product',
            name='status',
            field=models.CharField(choices=[('draft', 'draft'), ('published', 'published')], default='published', max_length=10, verbose_name='status'),
        ),
        migrations.AddField(
            model_name='product',
            name='tax_class',
            field=models.CharField(choices=[('standard', 'standard'), ('reduced', 'reduced'), ('zero', 'zero')], default='standard', max_length=10, verbose_name='tax class'),
        ),
        migrations.AddField(
            model_name='variant',
            name='option_values',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, default=list, editable=False, size=None),
        ),
        migrations.AddField(
            model_name='variant',
            name='picture',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name='variant',
            name='sale_from',
            field=models.DateTimeField(blank=True, null=True, verbose_name='sale from'),
        ),
        migrations.AddField(
            model_name='variant',
            name='sale_price',
            field=shop.money.MoneyField(blank=True, decimal_places=2, max_digits=10, null=True, verbose_name='sale price'),
        ),
        migrations.AddField(
            model_name='variant',
            name='sale_until',
            field=models.DateTimeField(blank=True, null=True, verbose_name='sale until'),
        ),
        migrations.AddField(
            model_name='variant',
            name='weight',
            field=models.PositiveIntegerField(default=0, verbose_name='weight in grams'),
        ),
        migrations.AlterField(
            model_name='product',
            name='picture',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AlterField(
            model_name='product',
            name='picture_alt',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AlterField(
            model_name='variant',
            name='name',
            field=models.CharField(blank=True, max_length=78, verbose_name='name'),
        ),
        migrations.AddConstraint(
            model_name='variant',
            constraint=models.CheckConstraint(condition=models.Q(('sale_price', None), models.Q(('sale_price__gte', 0), ('sale_price__lt', models.F('price'))), _connector='OR'), name='variant_sale_below_price', violation_error_message='The sale price has to be lower than the price.'),
        ),
        migrations.AddConstraint(
            model_name='variant',
            constraint=models.CheckConstraint(condition=models.Q(('sale_from', None), ('sale_until', None), ('sale_until__gt', models.F('sale_from')), _connector='OR'), name='variant_sale_ends_after_it_begins', violation_error_message='The sale has to end after it begins.'),
        ),
        migrations.AddConstraint(
            model_name='variant',
            constraint=models.UniqueConstraint(condition=models.Q(('option_values', []), _negated=True), fields=('product', 'option_values'), name='variant_values_once_a_product'),
        ),
        migrations.AddField(
            model_name='attributevalue',
            name='attribute',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='values', to='product.attribute', verbose_name='attribute'),
        ),
        migrations.AddField(
            model_name='product',
            name='attribute_values',
            field=models.ManyToManyField(blank=True, related_name='products', to='product.attributevalue', verbose_name='attributes'),
        ),
        migrations.AddField(
            model_name='product',
            name='brand',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='products', to='product.brand', verbose_name='brand'),
        ),
        migrations.AddField(
            model_name='option',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='options', to='product.product'),
        ),
        migrations.AddField(
            model_name='productpicture',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pictures', to='product.product'),
        ),
        migrations.AddField(
            model_name='related',
            name='other',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='product.product', verbose_name='product'),
        ),
        migrations.AddField(
            model_name='related',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='relations', to='product.product'),
        ),
        migrations.AddField(
            model_name='product',
            name='related',
            field=models.ManyToManyField(related_name='+', through='product.Related', to='product.product'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(condition=models.Q(('status', 'published')), fields=['-publish_at', '-id'], name='product_newest'),
        ),
        migrations.AddConstraint(
            model_name='attributevalue',
            constraint=models.UniqueConstraint(fields=('attribute', 'slug'), name='attribute_value_once_an_attribute'),
        ),
        migrations.AddConstraint(
            model_name='option',
            constraint=models.UniqueConstraint(fields=('product', 'name'), name='option_once_a_product'),
        ),
        migrations.AddConstraint(
            model_name='option',
            constraint=models.CheckConstraint(condition=models.Q(('values__len__gte', 1)), name='option_has_values'),
        ),
        migrations.AddConstraint(
            model_name='productpicture',
            constraint=models.CheckConstraint(condition=models.Q(('image', ''), ('static_path', ''), _connector='XOR'), name='picture_is_uploaded_or_static'),
        ),
        migrations.AddConstraint(
            model_name='productpicture',
            constraint=models.CheckConstraint(condition=models.Q(('alt', ''), _negated=True), name='picture_has_words'),
        ),
        migrations.AddConstraint(
            model_name='related',
            constraint=models.UniqueConstraint(fields=('product', 'other'), name='related_once_a_product'),
        ),
        migrations.AddConstraint(
            model_name='related',
            constraint=models.CheckConstraint(condition=models.Q(('product', models.F('other')), _negated=True), name='related_to_another', violation_error_message='A product is not related to itself.'),
        ),
    ]
